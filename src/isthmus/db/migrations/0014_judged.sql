-- kind: expand
-- compatible from: 0013

-- What a run came to about a record that it looked at by itself: agreed, differs, or why it was not judged.
ALTER TABLE suspect ADD COLUMN result text;
