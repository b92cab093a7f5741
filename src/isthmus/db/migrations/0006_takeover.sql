-- What another writer put into the account, and what of it we go on writing.

-- Records that we go on writing under the ids that the other writer gave them.
CREATE TABLE adopted (
    connection  text NOT NULL,
    kind        text NOT NULL,
    id          text NOT NULL,              -- the id we would have given: {namespace}{Shopify id}
    theirs      text NOT NULL,              -- the id the platform knows it by
    at          timestamptz NOT NULL,
    PRIMARY KEY (connection, kind, id)
);
CREATE UNIQUE INDEX adopted_theirs ON adopted (connection, kind, theirs);

-- Every record of the account that we did not write, as it was when it was listed. One that we adopted stays as it was
-- before, so that what changed with the takeover can always be told.
CREATE TABLE stranger (
    connection  text NOT NULL,
    kind        text NOT NULL,              -- order, product
    id          text NOT NULL,
    number      bigint,                     -- the last run of digits in the id: Shopify's number, where it is that
    name        text,                       -- of an order its number as people see it, without "#"
    who         bytea,                      -- keyed hash of the buyer's address
    customer    bigint,                     -- the last run of digits in the buyer's id
    currency    text,
    gross_mills bigint NOT NULL DEFAULT 0,
    net_mills   bigint NOT NULL DEFAULT 0,
    is_valid    boolean NOT NULL DEFAULT false,
    is_variant  boolean NOT NULL DEFAULT false,
    placed_at   timestamptz,
    seen_at     timestamptz NOT NULL,
    PRIMARY KEY (connection, kind, id)
);
CREATE INDEX stranger_name ON stranger (connection, kind, name);
CREATE INDEX stranger_number ON stranger (connection, kind, number);
