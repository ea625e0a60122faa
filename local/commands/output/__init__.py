"""How commands show what they found, and how far they are."""
