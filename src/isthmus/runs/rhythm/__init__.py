"""A shop's own rhythm: what it tells at which hour, when its silence means something, and what it never told."""
