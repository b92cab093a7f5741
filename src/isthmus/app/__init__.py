"""One module for each thing that a person or the scheduler can have done."""
