"""What goes back to the shops."""
