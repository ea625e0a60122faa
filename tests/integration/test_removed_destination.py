"""What waits for a destination that `apply --prune` removes goes from real storage."""

from dataclasses import replace
from pathlib import Path

from local.commands.apply import apply
from local.eventually import eventually
from local.stack.local_stack import LocalStack
from shared.bootstrap import build
from shared.domain.configuration.model import parse_configuration_file
from shared.domain.exports.undelivered import UndeliveredState
from shared.ports.undelivered import StoredUndelivered
from tests.contracts.undelivered_store import ROW
from tests.kit.builders import destination

CONFIGURATION = {
    "destinations": [destination("removed"), destination("kept")],
    "dataflows": [{"id": "removed", "audiences": ["a"]}, {"id": "kept", "audiences": ["a"]}],
}
PRUNED = {name: entries[1:] for name, entries in CONFIGURATION.items()}


async def test_rows_of_a_removed_destination_go(tmp_path: Path) -> None:
    with LocalStack(tmp_path) as stack:
        account = stack.storage_connection_string
        await apply(account, parse_configuration_file(CONFIGURATION))
        relay = await build(stack.settings | {"CONFIG_CACHE_SECONDS": "0.1"})
        try:
            for destination_id in ("removed", "kept"):
                for profile_id in ("p", "q"):
                    row = replace(ROW, destination_id=destination_id, profile_id=profile_id)
                    dead = replace(row, state=UndeliveredState.DEAD, permanent=True)
                    await relay.undelivered.save(StoredUndelivered(dead, None))

            await apply(account, parse_configuration_file(PRUNED), prune=True)

            async def dropped() -> dict[str, dict[str, int]] | None:
                done = (await relay.services.watch_destinations.run()).summary()
                return None if done == {"removed": {"recovering": 1}} else done

            assert await eventually(dropped) == {"removed": {"dropped": 2, "removed": 1}}
            assert (await relay.services.watch_destinations.run()).summary() == {}
            assert [stored async for stored in relay.undelivered.of("removed")] == []
            assert len([stored async for stored in relay.undelivered.of("kept")]) == 2
        finally:
            await relay.close()
