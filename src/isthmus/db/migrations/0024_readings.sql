-- kind: expand
-- compatible from: 0022

-- Readings of shops' records that are under way or were made lately, so that two workers do not make the same one. What
-- a crash takes from it is read once more, hence unlogged.
CREATE UNLOGGED TABLE reading (
    connection  text        NOT NULL,
    store       text        NOT NULL,
    kind        text        NOT NULL,
    id          text        NOT NULL,
    lane        smallint    NOT NULL,         -- of the most urgent event that asked for it
    claim       uuid        NOT NULL,         -- whose reading it is
    heard_at    timestamptz NOT NULL,         -- when the newest event that asked for it was received
    began_at    timestamptz NOT NULL,
    until       timestamptz NOT NULL,         -- when it answers nobody any more
    is_told     boolean     NOT NULL DEFAULT false,  -- what it found is taken in
    PRIMARY KEY (connection, store, kind, id)
);
