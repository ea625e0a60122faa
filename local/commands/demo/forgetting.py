"""The demo forgets a profile, and shows what is left of it."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from local.commands.demo.scene import SAMPLE, Scene
from local.commands.demo.traces import TOMBSTONE, Search, counted
from local.errors import LocalError
from shared.bootstrap import clock
from shared.domain.instants import SECOND, format_instant

_PROFILE = "customer/0000"
"""In audiences that both destinations map, and with a change in quarantine: there is much to forget."""
_TELLING_LENGTH = 11
"""Shorter texts, such as first names and dates, are others', too."""
_DEADLINE_SECONDS = 30.0
_LOOK_SECONDS = 0.2


async def forget_a_profile(scene: Scene) -> None:
    """Raises LocalError where more than a tombstone is left, or nothing was there before."""
    search = Search(scene.stack.storage_connection_string, _PROFILE, _personal_texts(_PROFILE))
    before = await asyncio.to_thread(search.traces)
    scene.title("Forgetting", f"of {_PROFILE}, which is in {counted(before)}")
    now = format_instant(clock() // SECOND * SECOND)
    change = {"profileId": _PROFILE, "occurredAt": now, "deleted": True}
    scene.out.print(json.dumps(change), markup=False)
    await scene.changes.send(change)
    exports = await scene.read_exports(lambda: True)
    if not exports or not before:
        raise LocalError(f"{_PROFILE} was to be forgotten, but was not known: is it in samples/{SAMPLE.name}?")
    await wait_until_forgotten(search)
    scene.out.print(
        f"[green]forgotten[/green] after {len(exports)} last exports. Searched every row of every table for its id and "
        "the hash of that, its identities,\ne-mail address and phone number: a tombstone is left (that hash, the "
        "time of deletion, a version), for 30 days."
    )


def _personal_texts(profile_id: str) -> list[str]:
    """What the sample tells of this profile alone."""
    changes = map(json.loads, SAMPLE.read_text(encoding="utf-8").splitlines())
    own = [change for change in changes if change["profileId"] == profile_id]
    told = [change.get(part) for change in own for part in ("attributes", "identityMap")]
    return sorted({text for text in _texts(told) if len(text) >= _TELLING_LENGTH})


def _texts(value: Any) -> Iterator[str]:
    """Every text within a JSON value."""
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(part)


async def wait_until_forgotten(search: Search) -> None:
    """Until a tombstone is all there is: an export that its hub did not take at once delays that.

    Raises LocalError when it takes too long.
    """
    deadline = clock() + int(_DEADLINE_SECONDS * SECOND)
    while True:
        left = await asyncio.to_thread(search.traces)
        if left == [TOMBSTONE]:
            return
        if clock() > deadline:
            raise LocalError(
                f"{_DEADLINE_SECONDS:.0f} s after {_PROFILE} was deleted it is still in {counted(left)}, where a "
                "tombstone in Profiles should be all: the log of the functions host may say why"
            )
        await asyncio.sleep(_LOOK_SECONDS)
