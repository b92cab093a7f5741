"""The operator desk: how every connection stands, as one plain page."""
