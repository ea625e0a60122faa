"""The ports in memory. They pass the same contracts as the real adapters (`tests/contracts`)."""
