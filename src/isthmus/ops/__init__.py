"""Looks at the road and never touches it."""
