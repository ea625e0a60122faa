"""A local stack whose storage and hubs the app reaches by tokens alone, and the host beside it by the account's key."""

from collections.abc import Mapping
from pathlib import Path

from azure.storage.queue import QueueServiceClient

from local.stack.local_stack import LocalStack
from shared.domain.configuration.credentials import parse_connection_string
from shared.hosting import RELAY_STORAGE
from tests.kit.builders import destination
from tests.kit.storage_by_token import AzuriteByToken

HUB = "crm"
CLIENT_ID = "00000000-0000-0000-0000-00000000000a"
"""Of the app's identity. The host's own, which takes the messages off their queues, has none."""
_HUBS = "EVENTHUBS"
CONFIGURATION = {
    "audiences": [{"id": "a"}, {"id": "list", "namespace": "uploads", "origin": "custom-upload"}],
    "destinations": [destination(HUB)],
    "dataflows": [{"id": HUB, "audiences": ["a"], "attributes": ["/x"]}],
}


class StackByToken(LocalStack):
    def __init__(self, directory: Path, certificate: Path) -> None:
        super().__init__(directory, hubs={HUB: 2})
        self._certificate = str(certificate)
        self.azurite: AzuriteByToken = AzuriteByToken(directory / "logs" / "azurite.log", certificate)

    @property
    def storage_connection_string(self) -> str:
        return self.azurite.connection_string

    def _queue_service(self) -> QueueServiceClient:
        connection_string = self.storage_connection_string
        return QueueServiceClient.from_connection_string(
            connection_string, use_env_settings=False, connection_verify=self._certificate
        )

    @property
    def settings_by_token(self) -> Mapping[str, str]:
        """Of the app, on top of the stack's own."""
        hubs = parse_connection_string(self.event_hubs_connection_string, local_allowed=True)
        return {
            **self.azurite.settings,
            RELAY_STORAGE: "",
            f"{RELAY_STORAGE}__clientId": CLIENT_ID,
            _HUBS: "",
            f"{_HUBS}__fullyQualifiedNamespace": hubs.credentials.namespace,
            f"{_HUBS}__clientId": CLIENT_ID,
        }
