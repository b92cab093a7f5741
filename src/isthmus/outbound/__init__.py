"""Calls out of this program: one policy for both APIs and for notifications."""
