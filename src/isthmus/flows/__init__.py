"""Journeys along the road, each short enough to read at once."""
