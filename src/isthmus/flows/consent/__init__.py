"""Consent on its way between the two sides: what is heard, where people stand, what goes back."""
