-- A version is a second long: a record that was told within its own second may have changed again before it ended.
ALTER TABLE record ADD COLUMN said_at timestamptz;  -- when the store said so: a webhook's trigger, a reading's start
