"""What backfills take, and what they cost others."""
