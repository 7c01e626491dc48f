-- Who a person is at the provider: once for ever, because cards and money there belong to that name.
CREATE TABLE funding.customer (
    person_id uuid CONSTRAINT customer_pkey PRIMARY KEY,
    customer_id text NOT NULL CONSTRAINT one_person_for_each_customer UNIQUE,
    made_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE funding.payout_account (
    person_id uuid CONSTRAINT payout_account_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT one_person_for_each_account UNIQUE,
    state text NOT NULL DEFAULT 'wanted'
        CONSTRAINT payout_account_state_known CHECK (state IN ('wanted', 'checked', 'ready', 'closed')),
    made_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT ON funding.customer, funding.payout_account TO tikiwallet_funding;
GRANT UPDATE (state, changed_at) ON funding.payout_account TO tikiwallet_funding;
