"""Closes cases whose matter is over, by what the rows say now."""
