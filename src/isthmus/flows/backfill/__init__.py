"""Load what a store already has: bulk operations tell it, and it goes the way of everything else, behind all of it."""
