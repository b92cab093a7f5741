"""The world as the Admin API shows it: one view per GraphQL type, read field by field."""
