"""What runs found, and the cases that came of it."""
