"""What was changed by inference, by a rule or by a run, and what it was before."""
