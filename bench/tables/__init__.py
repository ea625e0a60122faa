"""A stand-in for Table Storage that is faster than the app."""
