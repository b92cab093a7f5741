-- kind: expand
-- compatible from: 0020

-- A replay is a line of its own: the event that it repeats keeps its outcome.
ALTER TABLE event ADD COLUMN replay_of bigint;          -- the event whose body this is, where a person asked for it again
ALTER TABLE event ADD COLUMN replayed_at timestamptz;   -- when that was asked for
