"""The local Event Hubs stand-in (Node, see `server.js`) and the Python client of its control port. Never deployed."""
