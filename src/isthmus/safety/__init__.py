"""Blast radius: how much may change because we infer it or because our own rules changed."""
