"""What the platform says of its people, as last seen."""
