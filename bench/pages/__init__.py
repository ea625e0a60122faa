"""What the pages of the console ask of storage, and how long the app takes for them."""
