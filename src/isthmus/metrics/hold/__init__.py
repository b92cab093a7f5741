"""Who has trouble with an order now, and is to be left alone by campaigns."""
