"""The app's own identity, for connections that name an endpoint instead of a connection string."""

from functools import cache

from azure.identity.aio import DefaultAzureCredential


@cache
def credential(client_id: str | None) -> DefaultAzureCredential:
    """The credential of the user-assigned identity `client_id`, or of whatever the environment offers."""
    return DefaultAzureCredential(managed_identity_client_id=client_id)
