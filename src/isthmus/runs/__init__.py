"""Readings that repeat or take long: how far each got."""
