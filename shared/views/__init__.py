"""What is shown of each kind of resource: one JSON shape, for the API, the console and the command line."""
