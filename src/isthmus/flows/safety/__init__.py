"""Guard inferred and rule changes, carry out or stop plans, put back what a run changed."""
