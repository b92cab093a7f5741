-- The road: what was told (event), what it means (record), what the platform should say (outbox), and what went wrong (cases).
-- Every key starts with the connection, so that any table can be distributed or split off by it (docs/decisions/0004).
-- Times are the house clock's, given by the caller; no default reads the server's clock.

-- One row: what belongs to this installation and to no connection.
CREATE TABLE installation (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    hash_key  bytea NOT NULL            -- names people without telling who they are
);
INSERT INTO installation (hash_key)
SELECT decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');

-- An Ometria account and the settings of its stores. config holds references to secrets, never a secret.
CREATE TABLE connection (
    connection    text PRIMARY KEY,
    config        jsonb NOT NULL,
    mode          text NOT NULL CHECK (mode IN ('shadow', 'live')),
    connected_at  timestamptz NOT NULL,
    live_since    timestamptz,          -- null while nothing has ever been pushed
    blocked_code  text,                 -- shut by failure
    blocked_at    timestamptz,
    paused_at     timestamptz           -- shut by a person
);
CREATE TABLE lane_pause (
    connection  text NOT NULL,
    lane        text NOT NULL,
    paused_at   timestamptz NOT NULL,
    PRIMARY KEY (connection, lane)
);
-- The stores of a connection by domain: one shop may feed several connections.
CREATE TABLE store (
    connection  text NOT NULL,
    store       text NOT NULL,
    domain      text NOT NULL,
    PRIMARY KEY (connection, store)
);
CREATE INDEX store_by_domain ON store (domain);
-- References of every app secret ever used, since privacy webhooks may be signed with an old one.
CREATE TABLE app_secret (
    connection  text NOT NULL,
    reference   text NOT NULL,
    PRIMARY KEY (connection, reference)
);

-- Inbox ------------------------------------------------------------------------------------------------------------

-- Numbers are handed out in blocks of 1,000, so that a flush of deliveries needs no round trip to number them.
CREATE SEQUENCE event_block;

-- The memory that makes a repeated delivery free. Outlives the event (at least 7 days).
CREATE TABLE event_key (
    connection   text NOT NULL,
    key          bytea NOT NULL,        -- 16-byte hash of store, topic, webhook id
    received_at  timestamptz NOT NULL,
    PRIMARY KEY (connection, key)
);
-- Keys come in the order of time, so a block range says as much as a tree and costs a delivery nothing.
CREATE INDEX event_key_age ON event_key USING brin (received_at);

-- What we were told, once. Work is due while state is waiting; a lease is ours until leased_until.
CREATE TABLE event (
    connection    text NOT NULL,
    id            bigint NOT NULL,
    store         text NOT NULL,
    topic         text NOT NULL,        -- Shopify's topic, or poll/…, load/…, isthmus/… for our own on-ramps
    lane          smallint NOT NULL,    -- rank: 0 realtime, 1 enrichment, 2 repair, 3 backfill
    state         text NOT NULL DEFAULT 'waiting'
                  CHECK (state IN ('waiting', 'applied', 'stale', 'skipped', 'parked', 'buried')),
    due_at        timestamptz NOT NULL,
    received_at   timestamptz NOT NULL,
    triggered_at  timestamptz,
    webhook_id    text,
    action_id     text,                 -- Shopify's event id: shared by all deliveries of one merchant action
    subject       text,                 -- order:123, known once the body was looked at (or given by our own on-ramps)
    reason        text,                 -- why skipped, parked, buried
    attempts      smallint NOT NULL DEFAULT 0,
    unanswered    smallint NOT NULL DEFAULT 0,  -- claims that nobody settled or gave back: may kill its process
    claim         uuid,
    leased_until  timestamptz,
    settled_at    timestamptz,
    PRIMARY KEY (connection, id)
) WITH (fillfactor = 80);
CREATE INDEX event_due ON event (connection, lane, due_at) WHERE state = 'waiting';
CREATE INDEX event_subject ON event (connection, subject) WHERE subject IS NOT NULL;
CREATE INDEX event_suspect ON event (connection, lane) WHERE state = 'waiting' AND unanswered > 1;
CREATE INDEX event_age ON event USING brin (received_at);

-- Raw bodies by the day (UTC) they were received, so that a day can be dropped.
CREATE TABLE event_body (
    connection  text NOT NULL,
    day         date NOT NULL,
    event_id    bigint NOT NULL,
    body        bytea NOT NULL          -- zstd
) PARTITION BY RANGE (day);
CREATE TABLE event_body_default PARTITION OF event_body DEFAULT;
CREATE INDEX event_body_event ON event_body (connection, event_id);

-- Whose a body is, known once it was looked at, so that one person's can be found: a keyed hash of each identifier.
CREATE TABLE event_person (
    connection  text NOT NULL,
    person      bytea NOT NULL,
    event_id    bigint NOT NULL,
    day         date NOT NULL,
    PRIMARY KEY (connection, person, event_id, day)
) PARTITION BY RANGE (day);
CREATE TABLE event_person_default PARTITION OF event_person DEFAULT;

-- Records and people -----------------------------------------------------------------------------------------------

-- Canonical records as last told. A tombstone has no body and never comes back.
CREATE TABLE record (
    connection   text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('customer', 'order', 'product', 'checkout')),
    store        text NOT NULL,
    id           text NOT NULL,
    updated_at   timestamptz NOT NULL,  -- the record's own version
    body         bytea,                 -- zstd of the canonical JSON
    hash         bytea,
    email        text,                  -- normalised, where the record has one
    customer_id  bigint,
    token        text,                  -- checkout token, on orders and checkouts
    placed_at    timestamptz,           -- orders only
    changed_at   timestamptz NOT NULL,  -- when we learned it
    said_at      timestamptz,           -- when the store said so: a webhook's trigger, a reading's start
    deleted_at   timestamptz,
    PRIMARY KEY (connection, kind, store, id)
) WITH (fillfactor = 90);
CREATE INDEX record_email ON record (connection, kind, email) WHERE email IS NOT NULL;
CREATE INDEX record_customer ON record (connection, kind, store, customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX record_token ON record (connection, kind, store, token) WHERE token IS NOT NULL;
-- Checkouts that may still be abandoned, oldest first.
CREATE INDEX record_open_checkout ON record (connection, updated_at) WHERE kind = 'checkout' AND deleted_at IS NULL;

-- Which store customer answers to which address. A person is everyone who shares one.
CREATE TABLE link (
    connection   text NOT NULL,
    store        text NOT NULL,
    customer_id  bigint NOT NULL,
    contact      text NOT NULL,         -- {namespace}{customer id}: the id the platform knows
    email        text,
    gone_at      timestamptz,
    PRIMARY KEY (connection, store, customer_id)
);
CREATE INDEX link_email ON link (connection, email) WHERE email IS NOT NULL;

-- Append-only: everything anybody stated about what may be sent to an address.
CREATE TABLE consent_claim (
    connection      text NOT NULL,
    channel         text NOT NULL,
    address         bytea NOT NULL,     -- keyed hash
    id              bigint GENERATED ALWAYS AS IDENTITY,
    store           text NOT NULL,
    customer_id     bigint,
    state           text NOT NULL,
    level           text,
    claimed_at      timestamptz,        -- the statement's own time, null where it has none
    heard_at        timestamptz NOT NULL,
    source          text NOT NULL,
    collected_from  text,
    event_id        bigint,
    rule            text NOT NULL,      -- what was decided from it
    PRIMARY KEY (connection, channel, address, id)
);
CREATE UNIQUE INDEX consent_claim_once ON consent_claim
    (connection, channel, address, store, state, source, coalesce(claimed_at, '-infinity'));

-- Outbox -----------------------------------------------------------------------------------------------------------

-- One row per platform record: what it should say, beside what it was last known to say.
--   due       desired differs from what is known to be there; push it when due_at has come
--   leased    claimed for a push that is not answered yet (an ended lease counts as due, or as held for a moment)
--   accepted  the platform took it; not applied until its feed or a read-back says so
--   held      a moment that may have arrived: only a read-back that finds nothing lets it go again
--   applied   the platform says what we desire
--   buried    can never be applied as it is; case_code names the case
--   excluded  known, and on purpose not sent
CREATE TABLE outbox (
    connection    text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('product', 'contact', 'order', 'moment')),
    id            text NOT NULL,
    store         text NOT NULL,
    subject       text,
    lane          smallint NOT NULL,
    state         text NOT NULL
                  CHECK (state IN ('due', 'leased', 'accepted', 'held', 'applied', 'buried', 'excluded')),
    due_at        timestamptz NOT NULL,
    since         timestamptz NOT NULL, -- when the oldest unsent change was received: lag counts from here
    body          bytea,                -- zstd
    desired       bytea,                -- hash of body
    excluded      text,
    case_code     text,
    opts_in       boolean NOT NULL DEFAULT false,
    was_opted_in  boolean NOT NULL DEFAULT false,   -- ever claimed for a push as opted in
    waits_for     text,                 -- contact id that an order lets go first
    attempts      smallint NOT NULL DEFAULT 0,
    claim         uuid,
    leased_until  timestamptz,
    sent          bytea,                -- hash last claimed for a push
    is_known      boolean NOT NULL DEFAULT true,    -- false from claim to settlement
    accepted_at   timestamptz,
    request_id    text,
    batch_max     smallint NOT NULL DEFAULT 100,    -- shrinks after a refused batch, until the bad record stands alone
    doubts        smallint NOT NULL DEFAULT 0,      -- read-backs that did not find what was accepted
    settled       bytea,                -- hash last known to be there
    settled_at    timestamptz,
    PRIMARY KEY (connection, kind, id),
    CHECK ((state = 'excluded') = (excluded IS NOT NULL)),
    CHECK ((state = 'buried') = (case_code IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX outbox_due ON outbox (connection, kind, lane, due_at) WHERE state = 'due';
CREATE INDEX outbox_leased ON outbox (connection, leased_until) WHERE state = 'leased';
CREATE INDEX outbox_accepted ON outbox (connection, accepted_at) WHERE state IN ('accepted', 'held');
CREATE INDEX outbox_waits ON outbox (connection, waits_for) WHERE waits_for IS NOT NULL;
CREATE INDEX outbox_subject ON outbox (connection, store, subject) WHERE subject IS NOT NULL;
CREATE INDEX outbox_class ON outbox (connection, kind, state);

-- One row per record and push: what was tried, how it went, how long it had waited.
CREATE TABLE attempt (
    connection  text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    kind        text NOT NULL,
    record_id   text NOT NULL,
    lane        smallint NOT NULL,
    at          timestamptz NOT NULL,
    outcome     text NOT NULL,          -- accepted, refused, unanswered, deferred
    waited      real NOT NULL,          -- seconds from receipt to the answer
    request_id  text,
    hash        bytea,
    PRIMARY KEY (connection, id)
);
CREATE INDEX attempt_record ON attempt (connection, kind, record_id);
CREATE INDEX attempt_age ON attempt (connection, at);

-- How well the platform's error feed was watched.
CREATE TABLE feed (
    connection     text PRIMARY KEY,
    polled_at      timestamptz,
    covered_since  timestamptz,         -- successive polls have overlapped from here to polled_at
    entries        bytea[] NOT NULL DEFAULT '{}',  -- fingerprints of the last answer
    backlog_until  timestamptz          -- settlement waits while the platform itself is behind
);

-- A neighbour's request budget, shared by every process of every machine: the next free slot.
CREATE TABLE pace (
    connection  text NOT NULL,
    budget      text NOT NULL,          -- push, read
    next_at     timestamptz NOT NULL,
    n           bigint NOT NULL DEFAULT 0,      -- slots handed out
    failures    integer NOT NULL DEFAULT 0,     -- whole requests that failed in a row
    PRIMARY KEY (connection, budget)
);

-- Everything wrong, and the books -----------------------------------------------------------------------------------

CREATE TABLE cases (
    connection  text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    code        text NOT NULL,
    subject     text NOT NULL DEFAULT '',   -- order:123, topic, store; empty for the whole connection
    store       text NOT NULL DEFAULT '',
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved', 'ignored')),
    cause       text NOT NULL CHECK (cause IN ('storefront', 'integration', 'platform')),
    owner       text NOT NULL,
    severity    text NOT NULL,
    detail      text NOT NULL DEFAULT '',   -- never personal data
    n           bigint NOT NULL DEFAULT 1,
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    due_on      date,
    assigned    text,
    closed_at   timestamptz,
    closed_by   text,
    PRIMARY KEY (connection, id)
);
CREATE UNIQUE INDEX cases_open ON cases (connection, code, store, subject) WHERE state = 'open';
CREATE INDEX cases_subject ON cases (connection, subject);

-- Durable counters, spread over shards so that no two transactions queue for one row.
CREATE TABLE tally (
    connection  text NOT NULL,
    name        text NOT NULL,
    shard       smallint NOT NULL,
    n           bigint NOT NULL,
    PRIMARY KEY (connection, name, shard)
);

-- How far each repeated reading got: polls by updated_at, and the first load.
CREATE TABLE watermark (
    connection  text NOT NULL,
    store       text NOT NULL,
    name        text NOT NULL,          -- poll:order, load:customer, …
    at          timestamptz,            -- everything changed before this was seen
    cursor      text,
    n           bigint NOT NULL DEFAULT 0,
    total       bigint,
    done_at     timestamptz,
    PRIMARY KEY (connection, store, name)
);
