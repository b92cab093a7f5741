"""Look at a shop, and at Ometria, before anything is joined; changes nothing on either side."""
