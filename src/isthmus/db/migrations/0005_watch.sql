-- A shop's own rhythm: what was heard per topic and hour, and what only a poll found.
CREATE TABLE rhythm (
    connection  text NOT NULL,
    store       text NOT NULL,
    topic       text NOT NULL,
    hour        timestamptz NOT NULL,
    n           bigint NOT NULL DEFAULT 0,  -- deliveries
    n_missed    bigint NOT NULL DEFAULT 0,  -- changes that no delivery told
    last_at     timestamptz,
    PRIMARY KEY (connection, store, topic, hour)
);
-- Changes that a poll or a look saw before any delivery told of them: judged when a webhook has had its time to come.
CREATE TABLE unheard (
    connection  text NOT NULL,
    store       text NOT NULL,
    kind        text NOT NULL,
    id          text NOT NULL,
    version     timestamptz NOT NULL,       -- the record's updated_at
    is_new      boolean NOT NULL,           -- nothing was known of the record
    seen_at     timestamptz NOT NULL,
    missed_at   timestamptz,                -- when it was judged that no webhook had told
    late_at     timestamptz,                -- when one was found to have come after all
    PRIMARY KEY (connection, store, kind, id, version)
);
-- What a shop or the account looked like when it was last looked at, to tell what changed.
CREATE TABLE snapshot (
    connection  text NOT NULL,
    store       text NOT NULL DEFAULT '',
    name        text NOT NULL,
    at          timestamptz NOT NULL,
    body        jsonb NOT NULL,
    PRIMARY KEY (connection, store, name)
);
-- What was told to whom it concerns: once per change of state.
CREATE TABLE notice (
    connection  text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    key         text NOT NULL,              -- case:platform.refused, lane:realtime, run:12, digest:2026-11-23
    state       text NOT NULL,              -- opened, closed, late, recovered, …
    at          timestamptz NOT NULL,
    body        jsonb NOT NULL,
    told_at     timestamptz,
    attempts    integer NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL,
    took        text[] NOT NULL DEFAULT '{}',   -- addresses that have it, by a short hash
    PRIMARY KEY (connection, id)
);
CREATE INDEX notice_last ON notice (connection, key, id DESC);
CREATE INDEX notice_due ON notice (due_at) WHERE told_at IS NULL;
