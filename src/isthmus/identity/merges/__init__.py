"""Merges of people: those that the shop made, those that we ask the platform for, and what became of each."""
