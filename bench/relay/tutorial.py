"""The baseline: the same job as the tutorials of the SDKs teach it.

A queue-triggered function takes one change a message, 32 of them at a time: parse (json, pydantic) → `get_entity` →
decide → `update_entity` with the ETag (`create_entity` where there is none) → `create_batch`, `add`, `send_batch` of
one event. Clients are made once in the process, with their defaults, as the tutorials advise; the configuration is in
memory. A lost race on the ETag is tried anew at once.

What it shares with the app, so that both export the same: the rules by which changes converge and are decided on
(`shared.domain.exports.transition`), with what is due saved before it is sent, and an acknowledgement by the hub before
the message would be. What it spares, which the app does besides: rows of the member index, quarantine, metrics, circuit
breakers, undelivered exports, a size guard and compression. The state is a JSON text in one property.
"""

import asyncio
import json
from collections.abc import Mapping

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient
from azure.eventhub.aio import EventHubProducerClient

from bench.relay.events import event
from bench.relay.scene import configuration
from shared.bootstrap import clock
from shared.domain.configuration.model import Configuration, parse_configuration_file
from shared.domain.configuration.plan import plan_changes
from shared.domain.configuration.targets import Targets
from shared.domain.exports.export import Export
from shared.domain.exports.transition import transition
from shared.domain.instants import MILLISECOND, parse_instant
from shared.domain.profile.change import ProfileChange, ProfileChangeMessage
from shared.domain.profile.memberships import Membership
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import profile_key

HUB = "tutorial"
TABLE = "TutorialProfiles"
AT_A_TIME = 32


def keys_of(profile_id: str) -> tuple[str, str]:
    """Partition and row."""
    key = profile_key(profile_id)
    return key[:2], key


def row_of(state: ProfileState) -> dict[str, str]:
    partition, row = keys_of(state.profile_id)
    return {"PartitionKey": partition, "RowKey": row, "state": json.dumps(state.to_document())}


class Tutorial:
    """The function, and what hands it its messages."""

    most_changes: int | None = 1

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._table = TableClient.from_connection_string(environment["RELAY_STORAGE"], TABLE)
        self._producer = EventHubProducerClient.from_connection_string(environment["EVENTHUBS"], eventhub_name=HUB)
        self._targets = targets()

    async def start(self) -> None:
        """Nothing to do: the first message connects."""

    async def close(self) -> None:
        await self._producer.close()
        await self._table.close()

    async def run(self, messages: list[tuple[str, bytes]]) -> None:
        """Handle (id, body) of each, AT_A_TIME at a time."""
        waiting = iter(messages)

        async def work() -> None:
            for message_id, body in waiting:
                await self._handle(message_id, body)

        await asyncio.gather(*(work() for _ in range(AT_A_TIME)))

    async def _handle(self, message_id: str, body: bytes) -> None:
        change = _change_of(ProfileChangeMessage.model_validate(json.loads(body)))
        saved = None
        while saved is None:
            saved = await self._apply(message_id, change)
        for export in saved:
            await self._send(export)

    async def _apply(self, message_id: str, change: ProfileChange) -> list[Export] | None:
        """What must be exported, once it is saved; None if somebody else saved first."""
        etag = None
        try:
            entity = await self._table.get_entity(*keys_of(change.profile_id))
            etag = entity.metadata["etag"]
            state = ProfileState.from_document(json.loads(entity["state"]))
        except ResourceNotFoundError:
            state = ProfileState(change.profile_id)
        result = transition(state, [(0, change)], message_id, self._targets, clock())
        try:
            if result.altered and etag is None:
                await self._table.create_entity(row_of(state))
            elif result.altered:
                await self._table.update_entity(
                    row_of(state), UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
                )
        except (ResourceExistsError, ResourceModifiedError):
            return None
        return result.exports

    async def _send(self, export: Export) -> None:
        batch = await self._producer.create_batch(partition_key=export.profile_id)
        batch.add(event(export.body, export.message_id, export.application_properties))
        await self._producer.send_batch(batch)


def _change_of(message: ProfileChangeMessage) -> ProfileChange:
    occurred_at = parse_instant(message.occurred_at)
    identities = None
    if message.identity_map is not None:
        identities = {namespace: [item.id for item in items] for namespace, items in message.identity_map.items()}
    return ProfileChange(
        profile_id=message.profile_id,
        occurred_at=occurred_at,
        change_id=message.change_id,
        attributes=message.attributes,
        identities=identities,
        memberships={
            (namespace, audience): Membership.written(
                occurred_at,
                realized=item.status == "realized",
                last_qualification_time=item.last_qualification_time,
                valid_until=item.valid_until,
            )
            for namespace, audiences in message.segment_membership.items()
            for audience, item in audiences.items()
        },
    )


def targets() -> Targets:
    planned = plan_changes(Configuration(), parse_configuration_file(configuration(HUB)), clock() // MILLISECOND)
    return Targets.of(planned.configuration)
