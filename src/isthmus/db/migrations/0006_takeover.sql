-- Records that another writer put into the account and that we go on writing under the ids it gave them.
CREATE TABLE adopted (
    connection  text NOT NULL,
    kind        text NOT NULL,
    id          text NOT NULL,              -- the id we would have given: {namespace}{Shopify id}
    theirs      text NOT NULL,              -- the id the platform knows it by
    at          timestamptz NOT NULL,
    PRIMARY KEY (connection, kind, id)
);
CREATE UNIQUE INDEX adopted_theirs ON adopted (connection, kind, theirs);
