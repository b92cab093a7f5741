"""Canonical records: what we were last told of every customer, order, product and checkout."""
