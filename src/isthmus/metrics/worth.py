"""What one customer is worth, from the orders that count."""
