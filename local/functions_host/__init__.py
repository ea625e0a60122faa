"""A stand-in for the Azure Functions host, for machines without Azure Functions Core Tools. Never deployed.

It indexes a function app of the Python v2 programming model through the public API of azure-functions and runs its
queue, timer and HTTP triggers as the host's documentation says.
"""
