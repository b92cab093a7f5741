"""The two simulated APIs, Shopify and Ometria, cut at the wire; shares no code with isthmus."""
