"""A proxy before Azurite that makes its blobs, tables and queues fail on purpose. For tests; never deployed."""
