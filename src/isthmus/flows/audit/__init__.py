"""Look at a shop, and at the platform, before anything is joined; changes nothing on either side."""
