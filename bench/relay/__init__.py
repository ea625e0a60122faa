"""What the way of a change takes: against the SDKs' tutorials, against no logic at all, and as storage grows."""
