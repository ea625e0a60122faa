"""The admin API, over HTTP. Only the HTTP function imports it: queue workers do without FastAPI."""
