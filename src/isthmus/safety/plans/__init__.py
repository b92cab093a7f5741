"""Plans: what is to be changed, and who let it go."""
