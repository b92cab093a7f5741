"""Repairs that runs began, and whether a later look found that they held."""
