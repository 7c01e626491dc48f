-- A person sees where they are signed in, and ends what they don't know. Two columns more, which a server of the
-- release before neither writes nor reads.
ALTER TABLE identity.session
    -- The browser and the system in short ("Chrome · Android"), and never the whole user agent.
    ADD COLUMN label text NOT NULL DEFAULT ''
        CONSTRAINT session_label_is_short CHECK (char_length(label) <= 40),
    -- Written at most every few minutes: null until the session was used some time after it began.
    ADD COLUMN last_seen_at timestamptz
        CONSTRAINT session_seen_after_it_begins CHECK (last_seen_at >= issued_at);

GRANT UPDATE (last_seen_at) ON identity.session TO tikiwallet_identity;
