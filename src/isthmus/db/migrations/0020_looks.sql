-- kind: expand
-- compatible from: 0015

-- Something on the way to the platform may take smaller requests than the platform does: so many bytes, until then.
ALTER TABLE pace ADD COLUMN most_bytes integer;
ALTER TABLE pace ADD COLUMN most_until timestamptz;

-- When any process last looked at the feed of refused records, so that no other looks at the same moment.
ALTER TABLE feed ADD COLUMN looked_at timestamptz;
