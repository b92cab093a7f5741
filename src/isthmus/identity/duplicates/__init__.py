"""Who may be one person under two addresses: found by what they share, and judged by a table."""
