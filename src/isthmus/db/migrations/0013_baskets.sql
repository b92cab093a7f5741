-- kind: expand
-- compatible from: 0012

-- Which tokens name one basket. A webhook and a reading of one checkout share the cart's token alone, so that each gives
-- a record of its own; what fires once is the basket.
CREATE TABLE basket_name (
    connection  text NOT NULL,
    store       text NOT NULL,
    name        text NOT NULL,          -- a checkout's token, a cart's, or abandoned-{number} where a reading hides both
    basket      text NOT NULL,          -- the first of its names, which stands for all
    seen_at     timestamptz NOT NULL,
    PRIMARY KEY (connection, store, name)
) WITH (fillfactor = 90);
CREATE INDEX basket_name_basket ON basket_name (connection, store, basket);
CREATE INDEX basket_name_age ON basket_name (connection, seen_at);

ALTER TABLE record ADD COLUMN cart_token text;      -- on orders and checkouts
-- Only what is being written waits for it, as long as one look through the table takes.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX record_cart ON record (connection, store, cart_token) WHERE cart_token IS NOT NULL AND kind = 'order';
