"""The webhook endpoint: what Shopify and Ometria call, verified, kept and only then answered."""
