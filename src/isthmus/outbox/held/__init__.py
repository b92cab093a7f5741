"""What the platform holds in properties that are not ours alone."""
