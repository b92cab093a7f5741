-- Orders that somebody has trouble with now, one row each: the trouble that lasts longest. Kept in step with the order's
-- record, and taken out when its time is up, by whoever asks for the contacts of its owner to be mapped again. So a
-- person is held if and only if a row of theirs is here.
CREATE TABLE hold (
    connection   text NOT NULL,
    store        text NOT NULL,
    id           bigint NOT NULL,       -- Shopify's order id
    reason       text NOT NULL,         -- fulfilment, return, refund, cancelled
    until        timestamptz NOT NULL,  -- when it is over at the latest
    customer_id  bigint,
    email        text,                  -- normalised
    PRIMARY KEY (connection, store, id)
);
CREATE INDEX hold_customer ON hold (connection, store, customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX hold_guest ON hold (connection, email) WHERE customer_id IS NULL AND email IS NOT NULL;
CREATE INDEX hold_until ON hold (connection, until);
