"""A simulated Shopify: two stores of one merchant, cut at the wire."""
