-- What a provider told us, as it was told: it says only where to look, and is kept so that a person can see it.
CREATE TABLE funding.provider_event (
    event_id text CONSTRAINT provider_event_pkey PRIMARY KEY
        CONSTRAINT provider_event_id_length CHECK (length(event_id) BETWEEN 1 AND 255),
    kind text NOT NULL CONSTRAINT provider_event_kind_length CHECK (length(kind) BETWEEN 1 AND 255),
    payload bytea NOT NULL,
    made_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    processed_at timestamptz
);

CREATE INDEX provider_event_made_at ON funding.provider_event (made_at DESC);

GRANT SELECT, INSERT ON funding.provider_event TO tikiwallet_funding;
GRANT UPDATE (processed_at) ON funding.provider_event TO tikiwallet_funding;
