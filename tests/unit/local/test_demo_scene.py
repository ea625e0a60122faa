"""The demo waits for every export that the app says it made, and fails where one does not come back."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from local.commands.demo import scene
from local.commands.demo.scene import Scene
from local.errors import LocalError
from local.stack.functions_host import Invocations
from local.terminal import console


def played(
    exported: dict[str, dict[str, int]],
    came_back: int,
    undelivered: int = 0,
    invocations: Invocations = Invocations(succeeded=1),  # noqa: B008 - nobody can change it
) -> Scene:
    """A scene of one message in which the app says it made `exported`, so many came back, and so many wait to be tried
    again.
    """

    async def nothing_more(*_: Any) -> None:
        await asyncio.sleep(0)

    async def configuration() -> Any:
        return SimpleNamespace(configuration=SimpleNamespace(dataflows=[SimpleNamespace(id="crm")]))

    async def waiting(_destination_id: str) -> AsyncIterator[str]:
        for _ in range(undelivered):
            yield "a row"

    parts: dict[str, Any] = {
        "stack": SimpleNamespace(functions_host=SimpleNamespace(what_it_printed=lambda: "it printed nothing")),
        "relay": SimpleNamespace(
            configuration=SimpleNamespace(load=configuration), undelivered=SimpleNamespace(of=waiting)
        ),
        "changes": SimpleNamespace(
            messages=1,
            invocations=lambda: invocations,
            outcomes=lambda: [{"exported": exported}],
        ),
        "arrived": SimpleNamespace(
            exports=["an export"] * came_back, read_for=nothing_more, tell_rest=lambda _since, _shown: None
        ),
    }
    return Scene(out=console(), **parts)


@pytest.fixture(autouse=True)
def no_backfills(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(_scene: scene.Scene) -> list[Any]:
        return []

    monkeypatch.setattr(scene.Scene, "backfills", none)
    monkeypatch.setattr(scene, "_DEADLINE_SECONDS", 0.1)


async def test_it_goes_on_once_all_came_back() -> None:
    assert await played({"crm": {"audience": 1, "attribute": 2}}, came_back=3).read_exports(lambda: True) == []


async def test_it_waits_for_what_is_tried_again() -> None:
    with pytest.raises(LocalError, match="1 exports had come back of 1"):
        await played({"crm": {"audience": 1}}, came_back=1, undelivered=1).read_exports(lambda: True)


async def test_a_missing_export_fails_it() -> None:
    with pytest.raises(LocalError, match=r"2 exports had come back of 3 that the app says it made, .*; it printed"):
        await played({"crm": {"audience": 1}, "analytics": {"audience": 2}}, came_back=2).read_exports(lambda: True)


async def test_a_message_that_failed_is_waited_for_until_it_has_come_again() -> None:
    again = played({"crm": {"audience": 1}}, came_back=1, invocations=Invocations(succeeded=1, failed=1))
    assert await again.read_exports(lambda: True) == []
    with pytest.raises(LocalError, match="messages had failed 2 times"):
        await played({}, came_back=0, invocations=Invocations(failed=2)).read_exports(lambda: True)
