"""What Ometria should say of every record, beside what it was last known to say."""
