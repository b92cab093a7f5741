"""What was told to whom it concerns: once per change of state."""
