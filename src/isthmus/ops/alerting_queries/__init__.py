"""How things stand, for whoever must be told and for whoever ticks the checklist off."""
