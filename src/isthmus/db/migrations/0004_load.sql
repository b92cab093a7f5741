-- A store's history on its way in: one row per bulk operation, one per part of its result.
CREATE TABLE load (
    connection   text NOT NULL,
    store        text NOT NULL,
    kind         text NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    since        timestamptz,
    until        timestamptz,
    operation    text,                      -- Shopify's name of the bulk operation
    state        text NOT NULL DEFAULT 'wanted'
                 CHECK (state IN ('wanted', 'running', 'ready', 'loading', 'done', 'failed', 'split')),
    n_objects    bigint,
    n_roots      bigint,
    bytes        bigint,
    url          text,
    n_loaded     bigint NOT NULL DEFAULT 0,
    n_again      integer NOT NULL DEFAULT 0,    -- times it had to be started again
    started_at   timestamptz,
    moved_at     timestamptz,
    done_at      timestamptz,
    PRIMARY KEY (connection, store, kind, id)
);
CREATE TABLE load_part (
    connection  text NOT NULL,
    load        bigint NOT NULL,
    part        integer NOT NULL,
    n           bigint NOT NULL,
    done_at     timestamptz NOT NULL,
    PRIMARY KEY (connection, load, part)
);
