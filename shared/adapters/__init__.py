"""The ports on real parts: Table Storage and Event Hubs. SDK exceptions end here."""
