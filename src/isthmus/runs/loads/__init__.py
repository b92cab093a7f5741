"""Loads of history: which bulk operations were asked for, how far each is, which parts of it are in."""
