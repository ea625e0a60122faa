"""The console: pages for people, rendered by the server, over the very services that the API uses."""
