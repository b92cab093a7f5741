"""What contacts are to say, and what is still under way of theirs."""
