"""Two people who turn out to be one: told by the shop, asked of the platform, or noticed there."""
