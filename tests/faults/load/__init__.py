"""The fault load: changes go in while things break, and the hubs are read back against a model of our own."""
