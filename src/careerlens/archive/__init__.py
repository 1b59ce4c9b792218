"""What happened to every job, kept in SQL after Redis forgets it."""
