-- What each order is worth, as the platform is told: one row per order that is sent, kept in step with its record.
-- Sums are in thousandths of the currency's unit, so that every currency's pennies are whole numbers.
CREATE TABLE sale (
    connection      text NOT NULL,
    store           text NOT NULL,
    id              bigint NOT NULL,        -- Shopify's order id
    name            text NOT NULL,          -- the shopper's order number
    placed_at       timestamptz NOT NULL,
    currency        text NOT NULL,
    status          text NOT NULL,          -- the row of the status table, before a store gives it another name
    is_valid        boolean NOT NULL,
    gross_mills     bigint NOT NULL,        -- grand_total as sent
    refunded_mills  bigint NOT NULL,        -- returned for lines, as sent
    net_mills       bigint NOT NULL,        -- what the shop kept: gross - refunded
    n_units         integer NOT NULL,
    n_returned      integer NOT NULL,
    customer_id     bigint,
    email           text,                   -- normalised
    is_counted      boolean NOT NULL,       -- it counts towards its owner's worth (metrics/worth.py)
    is_untold       boolean NOT NULL,       -- changed by history: its owner's contacts are still to be mapped again
    PRIMARY KEY (connection, store, id)
) WITH (fillfactor = 90);
CREATE INDEX sale_customer ON sale (connection, store, customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX sale_guest ON sale (connection, email) WHERE customer_id IS NULL AND email IS NOT NULL;
CREATE INDEX sale_untold ON sale (connection, store, customer_id, email) WHERE is_untold;
