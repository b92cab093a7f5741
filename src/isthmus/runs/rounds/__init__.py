"""Rounds: going through everything of a kind page by page, again and again, wherever it was left off."""
