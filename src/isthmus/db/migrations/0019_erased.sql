-- kind: expand
-- compatible from: 0018

-- A tombstone of an erasure: nothing brings such a record back.
ALTER TABLE record ADD COLUMN erased_at timestamptz;
