"""Profile Relay: profile changes in, Event Hubs exports out. Layers: domain <- services <- adapters, triggers."""
