"""What a run came to about each record: how many were compared, and how many were not judged and why."""
