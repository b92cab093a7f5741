-- kind: expand
-- compatible from: 0014

-- What is inferred or changed by our own rules is planned, counted and judged before it is carried out; what a run
-- changed is journaled, so that it can be put back.

-- One row per plan.
--   gathering   its changes are still being collected; nothing of it is carried out yet
--   stopped     over the limit: waits for a person, and expires
--   carried_out within the limit
--   confirmed   a person has let it go; its changes do not count towards later limits
--   refused     a person keeps things as they are
--   expired     nobody decided in time; its records stay held until they are judged again
--   superseded  a later plan has its records
CREATE TABLE plan (
    connection  text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    source      text NOT NULL CHECK (source IN ('events', 'reconcile', 'remap', 'merges')),
    run         bigint,                     -- the run that made it, by which it is undone
    state       text NOT NULL CHECK (state IN ('gathering', 'stopped', 'carried_out', 'confirmed', 'refused', 'expired',
                                               'superseded')),
    started_at  timestamptz NOT NULL,
    judged_at   timestamptz,
    expires_at  timestamptz,
    decided_at  timestamptz,
    decided_by  text,
    counts      jsonb NOT NULL DEFAULT '[]',    -- per store, kind and cause, as they were judged
    PRIMARY KEY (connection, id)
);
CREATE INDEX plan_open ON plan (connection, source) WHERE state IN ('gathering', 'stopped', 'expired');

-- The records of a plan, as their store names them. A cause of '' is what a reading stated: it is never held.
--   planned   not judged yet
--   held      waits for a person; nothing of it is carried out
--   released  may be carried out; whoever works on the record next does
--   done      carried out
--   dropped   not to be carried out
CREATE TABLE plan_item (
    connection   text NOT NULL,
    plan         bigint NOT NULL,
    store        text NOT NULL,
    subject      text NOT NULL,             -- order:123
    kind         text NOT NULL,             -- customer, order, product
    cause        text NOT NULL DEFAULT '',
    code         text NOT NULL DEFAULT '',  -- the finding behind it
    repair       text NOT NULL,             -- read, map (joined by +), or merge:NUMBER
    net_mills    bigint NOT NULL DEFAULT 0,
    address      bytea,                     -- keyed hashes: no opt-in of these people goes out while this is held
    sms_address  bytea,
    state        text NOT NULL CHECK (state IN ('planned', 'held', 'released', 'done', 'dropped')),
    PRIMARY KEY (connection, plan, store, subject)
);
CREATE INDEX plan_item_record ON plan_item (connection, store, subject) WHERE state IN ('held', 'released');
CREATE INDEX plan_item_held_email ON plan_item (connection, address) WHERE state = 'held' AND address IS NOT NULL;
CREATE INDEX plan_item_held_sms ON plan_item (connection, sms_address)
    WHERE state = 'held' AND sms_address IS NOT NULL;

-- What was changed by inference, by a rule or by a run: counted towards the limits, and enough to put it back.
CREATE TABLE record_change (
    connection    text NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    run           bigint,                   -- null: event by event
    store         text NOT NULL,
    subject       text NOT NULL,
    kind          text NOT NULL,
    cause         text NOT NULL,
    at            timestamptz NOT NULL,
    net_mills     bigint NOT NULL DEFAULT 0,
    is_counted    boolean NOT NULL,         -- false for what a person confirmed
    body          bytea,                    -- our record before; null where it was gone or not known
    hash          bytea,
    was_gone      boolean NOT NULL DEFAULT false,
    after_hash    bytea,                    -- our record after, null where it is gone
    sale          bytea,                    -- orders: what it was worth before, as JSON
    undone_at     timestamptz,
    PRIMARY KEY (connection, id)
);
CREATE INDEX record_change_window ON record_change (connection, store, kind, cause, at) WHERE is_counted;
CREATE INDEX record_change_run ON record_change (connection, run, id) WHERE run IS NOT NULL;
CREATE INDEX record_change_age ON record_change USING brin (at);

-- What the platform was to say of it before; of a moment nothing.
CREATE TABLE record_change_write (
    connection  text NOT NULL,
    change      bigint NOT NULL,
    kind        text NOT NULL,
    id          text NOT NULL,
    body        bytea,                      -- null where it was not sent
    desired     bytea,
    excluded    text,
    is_new      boolean NOT NULL DEFAULT false,     -- there was no such write before
    after       bytea,                      -- hash desired after
    PRIMARY KEY (connection, change, kind, id)
);

-- Records that stay as they are until the shop states something new of them: undone, or refused by a person. No run
-- changes them again by itself. Valid only while the record still has this hash.
CREATE TABLE pinned_record (
    connection  text NOT NULL,
    store       text NOT NULL,
    subject     text NOT NULL,
    hash        bytea,
    reason      text NOT NULL CHECK (reason IN ('undone', 'refused')),
    pinned_by   text NOT NULL,
    pinned_at   timestamptz NOT NULL,
    PRIMARY KEY (connection, store, subject)
);
