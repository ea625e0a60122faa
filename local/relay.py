"""The app's services for a command: over the storage of the running stack, or of the one that the environment names."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from local.stack.state import (
    CONFIG_CACHE_SECONDS,
    EVENTHUBS,
    PROFILE_CHANGES_QUEUE,
    RELAY_STORAGE,
    SECRETS_FILE,
    StackSettings,
)
from shared.bootstrap import Relay, build


def app_environment(settings: StackSettings) -> dict[str, str]:
    """The app settings that a command in a process of its own needs. Raises SettingMissingError without storage."""
    found = {name: settings.find(name) for name in (PROFILE_CHANGES_QUEUE, EVENTHUBS, CONFIG_CACHE_SECONDS)}
    found[SECRETS_FILE] = settings.local_secrets_file
    present = {name: value for name, value in found.items() if value is not None}
    return os.environ | present | {RELAY_STORAGE: settings.storage}


@asynccontextmanager
async def opened_relay(settings: StackSettings) -> AsyncIterator[Relay]:
    """Closed at the end of the block. Raises SettingMissingError, SettingError, StorageError."""
    relay = await build(app_environment(settings))
    try:
        yield relay
    finally:
        await relay.close()
