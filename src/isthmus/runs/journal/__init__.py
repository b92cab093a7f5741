"""Long pieces of work: which are under way, who holds each, how far it is, what came of it."""
