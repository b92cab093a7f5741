"""What a look at the platform proves of writes that were believed to be there, or given up."""
