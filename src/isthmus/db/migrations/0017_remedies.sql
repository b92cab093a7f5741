-- kind: expand
-- compatible from: 0016

-- What a case rests on, and how it ended.
ALTER TABLE cases
    ADD COLUMN difference jsonb,        -- both values, masked; store, order name, request id
    ADD COLUMN note text,               -- how it ended, in words
    ADD COLUMN replayed_at timestamptz, -- when a person last sent again what it is about
    ADD COLUMN replayed_by text;

-- What the shop calls an order, #1009, so that a person can ask for it by that. Older rows are read by their bodies.
ALTER TABLE record ADD COLUMN name text;
