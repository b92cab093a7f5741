"""Journeys along the pipeline, each short enough to read at once."""
