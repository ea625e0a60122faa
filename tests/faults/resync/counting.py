"""The audience counted by a sweep, and what the API says of its size while changes flow."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple

from local.eventually import eventually
from shared.bootstrap import build
from tests.faults.resync.audience import AUDIENCE
from tests.faults.resync.follow import ENDED, Scene, follow
from tests.faults.resync.judge import some
from tests.faults.resync.report import StepResult
from tests.faults.resync.size import What

_LATE = 32.0
"""Seconds: instances save what they counted every 15, and what was read is good enough for 15 (docs/metrics.md)."""
_HANDLED_WITHIN = 28.0
"""Seconds for a change on a busy machine, until it is counted."""
_LOST_BY_A_KILL = 15.0 + _HANDLED_WITHIN
_WATCHED_EVERY = 5.0


class _Seen(NamedTuple):
    at: float
    members: int
    truth: int


class Counting:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._seen: list[_Seen] = []

    async def count(self, _what: What, kind: str) -> StepResult:
        """A sweep while changes flow; after it the count is to be exact, but for what kills made instances forget."""
        scene = self._scene
        relay = await build(scene.stack.settings)
        try:
            await relay.services.plan_backfills.sweep()
        finally:
            await relay.close()
        backfills = (await scene.hosts.get("/api/backfills"))["backfills"]
        (sweep,) = (each["id"] for each in backfills if each["kind"] == "sweep" and each["state"] not in ENDED)
        followed = await follow(scene, f"count, {kind}", sweep, kind)
        wrong = list(followed.wrong)
        if followed.view["state"] != "done":
            wrong.append(f"the sweep ended as {followed.view['state']}: {followed.view['note']}")
        came_past, people = followed.view["progress"]["members"], len(scene.model.numbers)
        if came_past != people:
            wrong.append(f"the sweep came past {came_past:,} profiles of {people:,}")
        async with scene.flow.held():
            wrong += await self._compared()
            count, truth = await self._count(), len(scene.model.inside)
        return StepResult(
            step=f"count, {kind}",
            kills=len(followed.kills),
            in_scope=people,
            seconds=followed.seconds,
            wrong=wrong,
            notes=[f"{truth:,} members; the API says {count['members']:,} ({count['text']})"],
        )

    async def _compared(self) -> list[str]:
        """While changes are held: what was counted, and that with what came since, against the model."""
        model, wrong = self._scene.model, []
        if not self._scene.hosts.kills:

            async def exact() -> bool:
                return bool((await self._count())["members"] == len(model.inside))

            try:
                await eventually(exact, timeout=2 * _LATE)
            except AssertionError:
                wrong.append(f"{len(model.inside):,} members, and the API says {(await self._count())['text']}")
        else:
            await asyncio.sleep(_LATE)
        count = await self._count()
        if count["countedAt"] is None:
            return [*wrong, "nothing is counted"]
        at = datetime.fromisoformat(count["countedAt"]).timestamp()
        unsure, counted = model.crossed(at - _HANDLED_WITHIN, at), model.members_at(at)
        if abs(count["counted"] - counted) > unsure:
            wrong.append(f"counted {count['counted']:,} and not {counted:,}, give or take {unsure:,}")
        lost = self._lost_at_most(at)
        if abs(count["members"] - len(model.inside)) > lost:
            wrong.append(f"{count['members']:,} and not {len(model.inside):,}, of whom {lost:,} could be lost by kills")
        return wrong

    def _lost_at_most(self, since: float) -> int:
        """Who crossed so shortly before a kill that an instance may not have saved it; what came before does not count.

        A moment twice before two kills counts twice.
        """
        kills = [ended for _, ended in self._scene.hosts.kills if ended > since]
        return sum(self._scene.model.crossed(max(since, at - _LOST_BY_A_KILL), at) for at in kills)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """What the API says is noted all the while."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            if not watching.cancelled():
                watching.result()

    async def _watch(self) -> None:
        while True:
            members = (await self._count())["members"]
            if members is not None:
                self._seen.append(_Seen(time.time(), members, len(self._scene.model.inside)))
            await asyncio.sleep(_WATCHED_EVERY)

    def untrue(self) -> list[str]:
        """Where the API's count was none that changes of the last minute explain, until the first kill."""
        model, wrong = self._scene.model, []
        first_kill = min((began for began, _ in self._scene.hosts.kills), default=time.time())
        for at, members, _ in self._seen:
            since = at - _LATE - _HANDLED_WITHIN
            if at < first_kill and abs(members - model.members_at(since)) > model.crossed(since, at):
                wrong.append(f"{members:,} members by the API, of {model.members_at(at):,}")
        return some(wrong)

    @property
    def notes(self) -> list[str]:
        off = max((abs(members - truth) for _, members, truth in self._seen), default=0)
        return [f"the API's count was off by {off:,} at most while changes flowed and hosts died"] if self._seen else []

    async def _count(self) -> Any:
        (count,) = (await self._scene.hosts.get("/api/audience-counts", audience=AUDIENCE))["audiences"]
        return count
