"""A client for the blobs of a storage account. The SDK is imported by the first: most workers never need one."""

from typing import TYPE_CHECKING, Any

from shared.adapters.identity import credential
from shared.adapters.renewing_transport import RenewingTransport
from shared.settings import Connection

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobServiceClient

_TRANSPORT: dict[str, Any] = {
    "use_env_settings": False,
    "connection_timeout": 5,
    "read_timeout": 30,
    "connection_data_block_size": 256 * 1024,  # as the SDK has it for a transport of its own
}


def connect(connection: Connection) -> "BlobServiceClient":
    """Connects with its first request."""
    from azure.storage.blob.aio import BlobServiceClient

    options: dict[str, Any] = {
        "initial_backoff": 1,
        "increment_base": 1,
        "random_jitter_range": 0,
        "retry_total": 2,
    }
    if connection.connection_string:
        return BlobServiceClient.from_connection_string(connection.connection_string, **_TRANSPORT, **options)
    identity = credential(connection.client_id)
    transport = RenewingTransport(identity, **_TRANSPORT)
    return BlobServiceClient(connection.endpoint or "", credential=identity, transport=transport, **options)
