"""An account's request budgets, shared by every process of every machine."""
