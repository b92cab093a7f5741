-- kind: expand
-- compatible from: 0015

-- One row for each role that proves to whoever asks /ready that a write just succeeded.
CREATE TABLE readiness (
    role text PRIMARY KEY,
    proved_at timestamptz NOT NULL
);

-- The job engine's own migrations that were applied; it keeps no list itself.
CREATE TABLE engine_migration (
    name text PRIMARY KEY,
    applied_at timestamptz NOT NULL
);
