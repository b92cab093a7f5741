"""Looks at the pipeline and never touches it."""
