-- kind: expand
-- compatible from: 0017

-- Repairs that reconciliations began: one row per record and code, while it is remembered. `fingerprint` is what the
-- repair started from (the shop's version, or what was desired): the same difference found again with the same
-- fingerprint is a repair that did not hold.
CREATE TABLE repair (
    connection   text NOT NULL,
    kind         text NOT NULL,
    id           text NOT NULL,
    code         text NOT NULL,
    fingerprint  text NOT NULL,
    n            integer NOT NULL DEFAULT 1,    -- how often it was begun for this fingerprint
    last_at      timestamptz NOT NULL,          -- when it was begun last
    right_at     timestamptz,                   -- when a later look found both sides right
    PRIMARY KEY (connection, kind, id, code)
);
