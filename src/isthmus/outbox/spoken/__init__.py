"""What contacts were sent to say about consent."""
