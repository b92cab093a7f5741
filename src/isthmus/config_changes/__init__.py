"""Whether the ground under a connection is still what it was: versions, scopes, settings, secrets, limits."""
