"""The second contacts of a comparison, in the database."""
