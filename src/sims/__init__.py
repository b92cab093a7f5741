"""The two simulated neighbours, Shopify and Ometria, cut at the wire; shares no code with isthmus."""
