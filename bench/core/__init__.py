"""What the pure core takes for a change, with no I/O at all."""
