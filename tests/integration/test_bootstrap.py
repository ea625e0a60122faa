"""A worker that cannot reach its storage says so and leaves nothing open; a missing setting is named."""

import gc

import pytest

from shared.bootstrap import build
from shared.errors import SettingError, StorageError

NOBODY_THERE = "http://127.0.0.1:1/a"
ENVIRONMENT = {
    "RELAY_STORAGE": f"AccountName=a;AccountKey=YQ==;TableEndpoint={NOBODY_THERE};QueueEndpoint={NOBODY_THERE}",
}


async def test_storage_that_is_not_there_leaves_no_client_open() -> None:
    with pytest.raises(StorageError, match="could not create the"):
        await build(ENVIRONMENT)
    gc.collect()  # an open client would warn here, and a warning is an error


async def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SettingError, match="app setting RELAY_STORAGE"):
        await build({})
