-- Properties that others may write too (mapping modes other than overwrite): who put what there.
-- Only the properties that a mapping file names so, and only of records that have any.
CREATE TABLE held (
    connection  text NOT NULL,
    kind        text NOT NULL,          -- product, contact, as in outbox
    id          text NOT NULL,
    theirs      jsonb,                  -- what others put there, read while nothing of ours was on its way; null: never
    read_at     timestamptz,
    ours        jsonb NOT NULL DEFAULT '{}',    -- our own part of what we asked it to hold
    PRIMARY KEY (connection, kind, id)
);

-- Going through everything of a kind, page by page: where the round stands, and who is at its page.
CREATE TABLE round (
    connection    text NOT NULL,
    store         text NOT NULL,
    name          text NOT NULL,        -- metafields:customer, held:contact
    began_at      timestamptz NOT NULL,
    cursor        text NOT NULL DEFAULT '',
    n             bigint NOT NULL DEFAULT 0,    -- records looked at in this round
    n_changed     bigint NOT NULL DEFAULT 0,
    leased_until  timestamptz,
    done_at       timestamptz,
    PRIMARY KEY (connection, store, name)
);

-- How many values were left out of a body because the platform's limits have no room for them.
ALTER TABLE outbox ADD COLUMN n_cut integer NOT NULL DEFAULT 0;
CREATE INDEX outbox_cut ON outbox (connection, kind) INCLUDE (n_cut) WHERE n_cut > 0;
