"""Where the two sides differ, once the difference has outlived its grace period, and which layer is at fault."""
