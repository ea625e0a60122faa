"""A proxy before Azurite that makes its tables and queues fail on purpose. For tests; never deployed."""
