"""The use cases, over the small ports in `ports` and the `*_ports` modules."""
