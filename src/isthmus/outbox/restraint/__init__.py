"""What holds an opt-in back."""
