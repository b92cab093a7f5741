"""What the platform tells afterwards of what it took, and what waits to be settled by it."""
