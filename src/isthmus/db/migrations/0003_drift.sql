-- Runs that read both neighbours, what they saw there, and what they found.
CREATE TABLE run (
    connection    text NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    what          text NOT NULL,            -- reconcile, audit, …
    asked         jsonb NOT NULL,           -- window, kinds, stores, whether to repair
    state         text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
    step          text NOT NULL DEFAULT '', -- where it goes on after a stop
    cursor        text,
    n             bigint NOT NULL DEFAULT 0,
    total         bigint,
    started_at    timestamptz NOT NULL,
    moved_at      timestamptz NOT NULL,
    ended_at      timestamptz,
    claim         uuid,
    leased_until  timestamptz,
    result        jsonb,
    PRIMARY KEY (connection, id)
);
-- What a neighbour said of a record while a run read it.
CREATE TABLE seen (
    connection      text NOT NULL,
    run             bigint NOT NULL,
    side            text NOT NULL CHECK (side IN ('store', 'platform')),
    kind            text NOT NULL,
    id              text NOT NULL,          -- as the platform names it
    version         timestamptz,
    path            text,                   -- where it first says something else than we desire; null when it agrees
    says            jsonb,                  -- its side of that difference, without personal data
    currency        text,
    gross_mills     bigint,
    refunded_mills  bigint,
    net_mills       bigint,
    status          text,
    is_valid        boolean,
    placed_at       timestamptz,
    PRIMARY KEY (connection, run, side, kind, id)
);
CREATE TABLE finding (
    connection     text NOT NULL,
    run            bigint NOT NULL,
    kind           text NOT NULL,
    id             text NOT NULL,
    store          text NOT NULL,
    subject        text NOT NULL,
    code           text NOT NULL,
    cause          text NOT NULL,
    detail         text NOT NULL DEFAULT '',
    store_says     jsonb,
    ours_say       jsonb,
    platform_says  jsonb,
    repair         text,                    -- what was done about it; null when nothing may be
    PRIMARY KEY (connection, run, kind, id, code)
);
