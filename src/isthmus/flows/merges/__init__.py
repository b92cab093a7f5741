"""Two people who turn out to be one: told by the shop, asked of Ometria, or noticed there."""
