"""Whose orders are how many."""
