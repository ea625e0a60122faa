"""App, tables, queues and hubs in one process under a virtual clock: the real services, and whatever a seed lets go wrong."""
