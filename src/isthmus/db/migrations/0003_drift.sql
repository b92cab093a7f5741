-- Runs that read both neighbours, what they saw there, and what they found.

-- One row per long piece of work. Whoever holds the claim works on it; an ended lease lets anyone go on at the cursor.
CREATE TABLE run (
    connection    text NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    what          text NOT NULL,            -- reconcile, audit, …
    asked         jsonb NOT NULL,           -- window, kinds, stores, whether to repair
    state         text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
    step          text NOT NULL DEFAULT '', -- where it goes on after a stop
    cursor        text,
    n             bigint NOT NULL DEFAULT 0,    -- rows of this step so far
    total         bigint,                       -- rows of this step, as far as is known
    started_at    timestamptz NOT NULL,
    moved_at      timestamptz NOT NULL,
    ended_at      timestamptz,
    claim         uuid,
    leased_until  timestamptz,
    result        jsonb,
    PRIMARY KEY (connection, id)
);
CREATE INDEX run_latest ON run (connection, what, id DESC);

-- What a run read of one record on one side. Sums are in thousandths of the currency's unit (sale has ours).
--   store     one row per record that the shop lists; number is Shopify's, id what we would call it
--   ours      only where the desired write is not the mapping of the canonical record
--   platform  one row per record that the platform lists; store and number are null where we know no such record
-- net_mills means the same everywhere: what the shop kept. refunded_mills is what went back for lines on the platform and
-- with us, but all that went back in the store (shipping and goodwill too), and gross_mills is net + refunded.
CREATE TABLE seen (
    connection      text NOT NULL,
    run             bigint NOT NULL,
    side            text NOT NULL CHECK (side IN ('store', 'ours', 'platform')),
    kind            text NOT NULL,          -- contact, order, product
    id              text NOT NULL,          -- as the platform names it
    store           text,
    number          bigint,                 -- Shopify's; a variant has its product's
    at              timestamptz NOT NULL,   -- when it was read
    version         timestamptz,            -- the side's own: updated_at, or when the platform last saw it change
    against         bytea,                  -- platform: hash of the desired body it was held against
    path            text,                   -- where it first says something else than we; '' where we know nothing of it
    says            jsonb,                  -- {"theirs": …, "ours": …} there, without personal data
    name            text,                   -- orders: the shopper's order number
    currency        text,
    gross_mills     bigint,
    refunded_mills  bigint,
    net_mills       bigint,
    status          text,                   -- store: cancelled or Shopify's financial status in lower case
    is_valid        boolean,
    is_test         boolean NOT NULL DEFAULT false,
    placed_at       timestamptz,
    seller          text,                   -- platform orders: the store it names
    writer          text,                   -- platform: who it says wrote it last, where it says so
    would_opt_in    boolean NOT NULL DEFAULT false, -- platform contacts: sending what we desire would opt somebody in
    PRIMARY KEY (connection, run, side, kind, id)
);
-- Records on which a run's sides may not agree: looked at one by one.
CREATE TABLE suspect (
    connection  text NOT NULL,
    run         bigint NOT NULL,
    kind        text NOT NULL,
    id          text NOT NULL,
    PRIMARY KEY (connection, run, kind, id)
);
-- What a run found, with the layer at fault. A grouped finding (many records that are another writer's) has id ''.
CREATE TABLE finding (
    connection     text NOT NULL,
    run            bigint NOT NULL,
    kind           text NOT NULL,
    id             text NOT NULL,
    store          text NOT NULL DEFAULT '',
    subject        text NOT NULL,           -- order:123, as the store names it; order:uk:1 where only the platform has it
    code           text NOT NULL,           -- a row of the catalogue
    cause          text NOT NULL CHECK (cause IN ('storefront', 'integration', 'platform')),
    detail         text NOT NULL DEFAULT '',
    n              bigint NOT NULL DEFAULT 1,
    store_says     jsonb,
    ours_say       jsonb,
    platform_says  jsonb,
    currency       text,
    off_mills      bigint,                  -- how much more (or less) net revenue the side at fault tells of
    placed_at      timestamptz,             -- orders: when it was placed
    repair         text,                    -- read, map, send, settle (joined by +); null when nothing may be done
    found_at       timestamptz NOT NULL,
    PRIMARY KEY (connection, run, kind, id, code)
);
