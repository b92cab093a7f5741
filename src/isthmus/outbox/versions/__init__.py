"""How the rows of the outbox stand, for whoever compares."""
