"""A stack with the app's configuration, and no backfill that nobody asked for."""

from collections.abc import Mapping
from typing import Any

from local.commands.apply import apply
from local.stack.local_stack import LocalStack
from shared.bootstrap import build
from shared.domain.configuration.model import parse_configuration_file

PARTITIONS = 4
"""Of each hub that is measured."""


async def configure(stack: LocalStack, document: dict[str, Any]) -> None:
    """Apply `document`, and forget the backfill that a new dataflow calls for: whoever wants one asks for it."""
    await configure_storage(stack.settings, document)


async def configure_storage(settings: Mapping[str, str], document: dict[str, Any]) -> None:
    """As `configure`, in the storage that these app settings name."""
    relay = await build(settings)
    try:
        await apply(settings["RELAY_STORAGE"], parse_configuration_file(document))
        stored = await relay.configuration.load()
        without = stored.configuration.model_copy(update={"requested_backfills": []})
        await relay.configuration.save(without, stored.etag)
    finally:
        await relay.close()
