-- A store's history on its way in: one row per bulk operation, one per part of its result.
CREATE TABLE load (
    connection   text NOT NULL,
    store        text NOT NULL,
    kind         text NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    since        timestamptz,                   -- created at or after
    until        timestamptz,                   -- created before
    state        text NOT NULL DEFAULT 'wanted'
                 CHECK (state IN ('wanted', 'running', 'ready', 'done', 'failed', 'split')),
    operation    text,                          -- Shopify's name of the bulk operation
    began_at     timestamptz,                   -- when Shopify began it: nothing it tells is older
    n_objects    bigint NOT NULL DEFAULT 0,     -- lines
    n_roots      bigint NOT NULL DEFAULT 0,     -- records
    bytes        bigint,
    url          text,
    n_again      integer NOT NULL DEFAULT 0,    -- times it had to be started again
    why          text,                          -- what went wrong last
    is_rung      boolean NOT NULL DEFAULT false, -- Shopify said that it has ended
    wanted_at    timestamptz NOT NULL,
    moved_at     timestamptz NOT NULL,
    done_at      timestamptz,
    PRIMARY KEY (connection, store, kind, id)
);
CREATE UNIQUE INDEX load_id ON load (connection, id);

CREATE TABLE load_part (
    connection  text NOT NULL,
    load        bigint NOT NULL,
    part        integer NOT NULL,
    n           bigint NOT NULL,                -- records it held
    n_read      bigint NOT NULL,                -- of them, those that had to be read one by one
    done_at     timestamptz NOT NULL,
    PRIMARY KEY (connection, load, part)
);
