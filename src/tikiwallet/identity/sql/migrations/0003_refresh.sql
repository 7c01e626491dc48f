-- A session is kept up by refresh tokens, ends when nobody uses it, and is deleted when it is long over. A person is told
-- of a sign-in on a device that wasn't seen before. New tables and triggers only: a server of the release before neither
-- reads nor writes them, and what the triggers hold back it doesn't miss.

-- Each token is used once: the one that replaced it names it. Insert-only, by grant.
CREATE TABLE identity.refresh_token (
    token_hash bytea CONSTRAINT refresh_token_once PRIMARY KEY
        CONSTRAINT refresh_token_is_hashed CHECK (octet_length(token_hash) = 32),
    session_id uuid NOT NULL CONSTRAINT refresh_token_of_a_session REFERENCES identity.session ON DELETE CASCADE,
    -- What it replaced; null for the first of a session.
    follows_hash bytea CONSTRAINT refresh_token_replaced_once UNIQUE,
    issued_at timestamptz NOT NULL,
    CONSTRAINT refresh_token_in_one_session UNIQUE (session_id, token_hash),
    CONSTRAINT refresh_token_follows_one_of_its_session
        FOREIGN KEY (session_id, follows_hash) REFERENCES identity.refresh_token (session_id, token_hash)
);
CREATE UNIQUE INDEX one_first_refresh_token ON identity.refresh_token (session_id) WHERE follows_hash IS NULL;

-- A browser, or a folder of `tiki`, on which a person signed in before. It shows a secret of its own, kept here hashed.
CREATE TABLE identity.known_device (
    person_id uuid NOT NULL CONSTRAINT device_of_a_person REFERENCES identity.person,
    device_hash bytea NOT NULL CONSTRAINT device_is_hashed CHECK (octet_length(device_hash) = 32),
    label text NOT NULL CONSTRAINT device_label_is_short CHECK (char_length(label) <= 40),
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    CONSTRAINT device_once PRIMARY KEY (person_id, device_hash),
    CONSTRAINT device_seen_after_it_was_new CHECK (last_seen_at >= first_seen_at)
);
CREATE INDEX known_device_by_last_seen ON identity.known_device (last_seen_at);

-- What a person should know about who is signed in. Outlives the session that it speaks of.
CREATE TABLE identity.notice (
    notice_id uuid CONSTRAINT notice_once PRIMARY KEY,
    person_id uuid NOT NULL CONSTRAINT notice_of_a_person REFERENCES identity.person,
    kind text NOT NULL CONSTRAINT notice_kind_is_a_word CHECK (kind ~ '^[a-z][a-z_]{1,39}$'),
    session_id uuid NOT NULL,
    label text NOT NULL CONSTRAINT notice_label_is_short CHECK (char_length(label) <= 40),
    noticed_at timestamptz NOT NULL,
    dismissed_at timestamptz CONSTRAINT notice_dismissed_after_it_was_made CHECK (dismissed_at >= noticed_at)
);
CREATE INDEX notice_of_person ON identity.notice (person_id, noticed_at);
CREATE INDEX notice_by_age ON identity.notice (noticed_at);

-- What has ended never lives again: not by a slow write of "seen" after an idle hour, not by taking an end back. Such a
-- write keeps what stands instead of failing, because the release before doesn't know that sessions end when idle.
CREATE FUNCTION identity.an_ended_session_stays_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revoked_at := coalesce(OLD.revoked_at, NEW.revoked_at);
    IF NEW.last_seen_at >= coalesce(OLD.last_seen_at, OLD.issued_at) + interval '1 hour' THEN
        NEW.last_seen_at := OLD.last_seen_at;
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER an_ended_session_stays_ended BEFORE UPDATE OF revoked_at, last_seen_at ON identity.session
    FOR EACH ROW EXECUTE FUNCTION identity.an_ended_session_stays_ended();

CREATE FUNCTION identity.session_deleted_after_its_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.expires_at > now() THEN
        RAISE EXCEPTION 'a session that may still live is not deleted'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'session_deleted_after_its_end';
    END IF;
    RETURN OLD;
END;
$$;
CREATE TRIGGER session_deleted_after_its_end BEFORE DELETE ON identity.session
    FOR EACH ROW EXECUTE FUNCTION identity.session_deleted_after_its_end();
CREATE INDEX session_by_expiry ON identity.session (expires_at);

GRANT DELETE ON identity.session TO tikiwallet_identity;
GRANT SELECT, INSERT ON identity.refresh_token TO tikiwallet_identity;
GRANT SELECT, INSERT, DELETE, UPDATE (label, last_seen_at) ON identity.known_device TO tikiwallet_identity;
GRANT SELECT, INSERT, DELETE, UPDATE (dismissed_at) ON identity.notice TO tikiwallet_identity;
