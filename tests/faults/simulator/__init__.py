"""App, tables, queues and hubs in one process under a virtual clock: the real services, and a seed's faults."""
