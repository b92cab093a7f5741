"""What is still to be sent of a load."""
