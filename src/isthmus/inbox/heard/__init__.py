"""What the shop itself told, apart from what we asked."""
