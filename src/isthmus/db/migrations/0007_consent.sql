-- Consent both ways: what the platform says of people, what goes back to the shop, and what holds an opt-in back.

-- The statement became its speaker's word (a customer's, in the shop), rather than coming too late to be it.
ALTER TABLE consent_claim ADD COLUMN is_word boolean NOT NULL DEFAULT true;
UPDATE consent_claim SET is_word = false WHERE rule IN ('older', 'unread', 'same', 'later_opt_out');
-- What came too late is written down once however often it comes. A word is weighed before, and may be said again.
DROP INDEX consent_claim_once;
CREATE UNIQUE INDEX consent_claim_once ON consent_claim
    (connection, channel, address, store, state, source, coalesce(claimed_at, '-infinity')) WHERE NOT is_word;

-- What one customer said, under whatever address: an opt-out outlives the customer whom a merge takes away.
CREATE INDEX consent_claim_customer ON consent_claim (connection, store, customer_id) WHERE customer_id IS NOT NULL;

-- What the platform was last seen to say of each of its people.
CREATE TABLE profile (
    connection   text NOT NULL,
    id           text NOT NULL,             -- the platform's own
    email        text,                      -- normalised
    phone        text,                      -- E.164
    customer_id  text,
    email_optin  text,                      -- EXPLICITLY_OPTEDIN, EXPLICITLY_OPTEDOUT, NOT_SPECIFIED; null: nothing said
    sms_optin    boolean,                   -- both: the last word of it that was understood and believed
    seen_at      timestamptz NOT NULL,      -- when that was asked for
    email_now    text,                      -- what it says now, believed or not
    sms_now      boolean,
    look_at      timestamptz,               -- when to look again, since something of it was under way
    PRIMARY KEY (connection, id)
);
CREATE INDEX profile_email ON profile (connection, email) WHERE email IS NOT NULL;
CREATE INDEX profile_phone ON profile (connection, phone) WHERE phone IS NOT NULL;
CREATE INDEX profile_customer ON profile (connection, customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX profile_look ON profile (connection, look_at) WHERE look_at IS NOT NULL;

-- What a contact's row says about consent, beside opts_in.
ALTER TABLE outbox
    ADD COLUMN opts_out      boolean NOT NULL DEFAULT false,
    ADD COLUMN forces        boolean NOT NULL DEFAULT false,    -- the desired body is forced past other contacts
    ADD COLUMN was_forced    boolean NOT NULL DEFAULT false,    -- ever claimed for a push that forces
    ADD COLUMN must_force    boolean NOT NULL DEFAULT false,    -- its opt-out was seen to be refused unforced
    ADD COLUMN opted_in_at   timestamptz,                       -- last claimed for a push as opted in
    ADD COLUMN opted_out_at  timestamptz,                       -- last claimed for a push as opted out
    ADD COLUMN address       bytea,                             -- the ledger's names of the addresses behind the contact
    ADD COLUMN sms_address   bytea,
    ADD COLUMN n_outs        integer NOT NULL DEFAULT 0;        -- opt-outs of these that the desired body knows of
-- Opt-outs on their way: while one is, no opt-in of the same person goes out.
CREATE INDEX outbox_opting_out ON outbox (connection, address)
    WHERE kind = 'contact' AND opts_out AND state IN ('due', 'leased', 'accepted');

-- What a shop should say of a customer's consent, where that is not what it says.
--   due      to be written when due_at has come
--   leased   claimed for a write that is not answered yet
--   written  the shop took it; not done until a reading shows it
--   refused  the shop does not take it, or does not keep it: a case says so, and it is tried again now and then
CREATE TABLE consent_write (
    connection    text NOT NULL,
    store         text NOT NULL,
    customer_id   bigint NOT NULL,
    channel       text NOT NULL,
    address       bytea NOT NULL,               -- the ledger's name
    state         text NOT NULL CHECK (state IN ('SUBSCRIBED', 'UNSUBSCRIBED')),
    level         text NOT NULL,
    at            timestamptz NOT NULL,         -- from when the statement holds
    above         timestamptz,                  -- the time of what the shop says instead, which the write must not be older than
    status        text NOT NULL DEFAULT 'due' CHECK (status IN ('due', 'leased', 'written', 'refused')),
    since         timestamptz NOT NULL,         -- when we learned of the statement
    due_at        timestamptz NOT NULL,
    attempts      smallint NOT NULL DEFAULT 0,
    claim         uuid,
    leased_until  timestamptz,
    written_at    timestamptz,
    PRIMARY KEY (connection, store, customer_id, channel)
);
CREATE INDEX consent_write_due ON consent_write (connection, due_at);
CREATE INDEX consent_write_address ON consent_write (connection, address);
