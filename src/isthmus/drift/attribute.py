"""Name the layer at fault for a record on which the store, we and the platform do not agree."""
