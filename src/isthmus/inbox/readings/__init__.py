"""Readings that an event asked for, shared by all workers."""
