-- Who is one person beyond one address, who may be, and what was done about it on the platform.

-- The account of the person that this one turned out to belong to, by a merge of the shop's or the platform's. It stays
-- when either is gone from the shop, since orders may still name the lost one.
ALTER TABLE link ADD COLUMN joined_store text, ADD COLUMN joined_id bigint;
CREATE INDEX link_joined ON link (connection, joined_store, joined_id) WHERE joined_id IS NOT NULL;

-- Two people who may be one, each by their oldest account, as the last look found them.
CREATE TABLE duplicate (
    connection  text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    one_store   text NOT NULL,
    one_id      bigint NOT NULL,
    two_store   text NOT NULL,
    two_id      bigint NOT NULL,
    verdict     text NOT NULL CHECK (verdict IN ('sure', 'likely', 'possible')),
    rule        text NOT NULL,
    score       smallint NOT NULL,
    reasons     text[] NOT NULL,        -- words, never values
    found_at    timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,   -- the last look that still found them
    apart_by    text,                   -- who said that they are different people
    apart_at    timestamptz,
    PRIMARY KEY (connection, id)
);
CREATE UNIQUE INDEX duplicate_pair ON duplicate (connection, one_store, one_id, two_store, two_id);

-- Merges that are to be made on the platform, one a minute. Nothing there can be undone.
--   wanted   waits for its turn
--   asked    the request has left, or may have: it is looked up before anything else is done
--   done     the platform knows one person; ours follow
--   refused  would do harm; `why` says what
CREATE TABLE merge (
    connection       text NOT NULL,
    id               bigint GENERATED ALWAYS AS IDENTITY,
    survivor_store   text NOT NULL,
    survivor_id      bigint NOT NULL,
    loser_store      text NOT NULL,
    loser_id         bigint NOT NULL,
    rule             text NOT NULL,     -- why they are one person
    wanted_by        text NOT NULL,
    wanted_at        timestamptz NOT NULL,
    state            text NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'asked', 'done', 'refused')),
    due_at           timestamptz NOT NULL,
    n_asked          integer NOT NULL DEFAULT 0,
    asked_at         timestamptz,
    survivor_profile text,              -- as the platform named them when it was asked
    loser_profile    text,
    request_id       text,
    why              text,
    closed_at        timestamptz,
    PRIMARY KEY (connection, id)
);
CREATE UNIQUE INDEX merge_open ON merge (connection, loser_store, loser_id) WHERE state IN ('wanted', 'asked');
CREATE INDEX merge_due ON merge (connection, due_at) WHERE state IN ('wanted', 'asked');

-- Append-only: everything that was decided, asked and found of merges, also of those that others made.
CREATE TABLE merge_said (
    connection  text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    survivor    text NOT NULL,          -- ids that the platform knows, never an address
    loser       text NOT NULL,
    merge       bigint,                 -- null where somebody else made it
    at          timestamptz NOT NULL,
    what        text NOT NULL,          -- wanted, asked, unanswered, done, refused, noticed, told
    by          text NOT NULL,
    detail      text NOT NULL DEFAULT '',
    PRIMARY KEY (connection, id)
);
