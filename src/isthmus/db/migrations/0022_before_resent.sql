-- kind: expand
-- compatible from: 0021

-- What is sent again can be put back, however many records a run sends again.
ALTER TABLE seen ADD COLUMN before bytea;   -- where the platform differs: the record as it had it, in the fields that we send
