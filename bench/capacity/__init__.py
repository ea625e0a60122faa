"""What the app needs for a rate of changes, by what was measured and by what the platform takes."""
