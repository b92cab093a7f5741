"""Records of another writer that are ours under other ids."""
