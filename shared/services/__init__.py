"""The use cases, over the small ports in `shared.services.ports`."""
