"""The steps that export: an audience is mapped, or resynced by a scope; and what the hub heard of it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from local.commands.apply import apply
from local.eventually import eventually
from shared.domain.configuration.model import parse_configuration_file
from tests.faults.resync import scopes
from tests.faults.resync.audience import configuration
from tests.faults.resync.follow import Followed, Scene, follow
from tests.faults.resync.hubs import Heard
from tests.faults.resync.judge import TRUE_WITHIN, Expected, judge, outdated, some, untrue_progress
from tests.faults.resync.report import StepResult
from tests.faults.resync.scopes import Order
from tests.faults.resync.size import What

_UNDELIVERED_WITHIN = 120.0
_BETWEEN_PLACES = 16 * 50
"""What all slices together may have exported since each noted its place: a kill has that done again."""
_CANCELLED_AT = 0.2
_ACCEPTED, _KNOWN, _REFUSED = 202, 200, 409


class Exporting:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._mapped: set[str] = set()
        self._since = time.time()

    async def play(self, what: What, kind: str) -> StepResult:
        """`kind` is the destination, and says whether hosts are killed."""
        if what == "map":
            return await self._map(kind)
        return await (self._cancel(kind) if what == "cancel" else self._resync(what, kind))

    async def _map(self, kind: str) -> StepResult:
        scene, model = self._scene, self._scene.model
        self._mapped.add(kind)
        async with scene.flow.held():
            mark, members, changed = await self._mark(kind), model.members | model.other, len(model.changes)
            wanted = parse_configuration_file(configuration(self._mapped))
            plan = await apply(scene.stack.storage_connection_string, wanted)
        (requested,) = plan.backfills

        async def noted() -> bool:
            backfills = (await scene.hosts.get("/api/backfills"))["backfills"]
            return any(each["id"] == requested.id for each in backfills)

        await eventually(noted, timeout=60)
        followed = await follow(scene, f"map, {kind}", requested.id, kind)
        async with scene.flow.held():
            changes = model.changes[changed:]
            touched = {each.profile_id for each in changes}
            entered = {each.profile_id for each in changes if each.kind == "enter"}
            # Whoever changed is exported by the change or by the backfill: what the hub has in the end must be true.
            expected = Expected(must=members - touched, may=members | entered)
            return await self._judged(f"map, {kind}", kind, "backfill", expected, followed, mark, len(touched))

    async def _resync(self, what: What, kind: str) -> StepResult:
        scene, key = self._scene, f"{what} {kind}"
        path = f"/api/dataflows/{kind}/resyncs"
        async with scene.flow.held():
            mark, order = await self._mark(kind), self._order(what)
            before = order.within(scene.model)
            self._since = time.time()
            asked = {"scope": order.scope, "idempotencyKey": key}
            status, view = await scene.hosts.post(path, asked)
            again = await scene.hosts.post(path, asked)
            other = await scene.hosts.post(path, {"scope": order.scope}) if what == "everything" else (_REFUSED, {})
        followed = await follow(scene, f"{what}, {kind}", view["id"], kind)
        later = await scene.hosts.post(path, asked)
        if (status, again[0], other[0], later[0]) != (_ACCEPTED, _KNOWN, _REFUSED, _KNOWN):
            followed.wrong.append(f"asked for once, again, beside it and later: {status}, {again}, {other}, {later}")
        if {view["id"], again[1]["id"], later[1]["id"]} != {view["id"]}:
            followed.wrong.append(f"one idempotency key is {view['id']}, {again[1]['id']} and {later[1]['id']}")
        async with scene.flow.held():
            expected = Expected(must=before, may=order.within(scene.model))
            return await self._judged(f"{what}, {kind}", kind, "resync", expected, followed, mark)

    async def _cancel(self, kind: str) -> StepResult:
        scene, order = self._scene, scopes.everything()
        async with scene.flow.held():
            mark = await self._mark(kind)
            _, view = await scene.hosts.post(f"/api/dataflows/{kind}/resyncs", {"scope": order.scope})
        followed = await follow(scene, f"cancel, {kind}", view["id"], kind, until_share=_CANCELLED_AT)
        status, cancelled = await scene.hosts.post(f"/api/backfills/{view['id']}/cancel", None)
        at = time.time()
        if (status, cancelled.get("state")) != (_KNOWN, "cancelled"):
            followed.wrong.append(f"cancelling it was answered by {status} {cancelled}")
        followed.view = cancelled
        async with scene.flow.held():

            async def nothing_waits() -> bool:
                return not await scene.storage.waiting()

            await eventually(nothing_waits, timeout=_UNDELIVERED_WITHIN)
            may = order.within(scene.model)
            expected = Expected(must=frozenset(), may=may)
            result = await self._judged(f"cancel, {kind}", kind, "resync", expected, followed, mark)
            after = [each.at - at for each in self._heard(kind, mark) if "resync" in each.reasons and each.at > at]
            if after:
                result.notes.append(f"{len(after):,} came after it was cancelled, the last {max(after):.1f} s after")
            if max(after, default=0.0) > TRUE_WITHIN:
                result.wrong.append(f"it went on for more than {TRUE_WITHIN:g} s after it was cancelled")
            # Until slices look whether they are to go on, they may get to the end of a small audience.
            at_most = max(len(may), int(2 * scene.size.per_second * TRUE_WITHIN))
            if not 0 < result.exported < at_most:
                result.wrong.append(f"{result.exported:,} of {len(may):,} exported: it was to be cancelled on the way")
            return result

    def _order(self, what: What) -> Order:
        scene = self._scene
        if what == "profiles":
            return scopes.profiles(scene.model, scene.size.named, scene.rng)
        if what == "saved since":
            return scopes.saved_since(self._since)
        if what == "keys":
            return scopes.key_range(*scene.size.keys)
        return scopes.everything() if what == "everything" else scopes.audience()

    async def _mark(self, kind: str) -> int:
        """How many events the hub has by now; to be called while changes are held."""
        await self._scene.hubs.all_read()
        return len(self._scene.hubs.heard[kind])

    def _heard(self, kind: str, mark: int) -> Sequence[Heard]:
        return self._scene.hubs.heard[kind][mark:]

    async def _judged(
        self, name: str, kind: str, reason: str, expected: Expected, followed: Followed, mark: int, touched: int = 0
    ) -> StepResult:
        """`touched`: how many may have been exported for a change in place of this. While changes are held."""
        scene, wrong, view = self._scene, list(followed.wrong), followed.view

        async def delivered() -> bool:
            return not await scene.storage.undelivered_rows()

        await eventually(delivered, timeout=_UNDELIVERED_WITHIN)
        await scene.hubs.all_read()
        heard = self._heard(kind, mark)
        verdict = judge(expected, heard, reason, followed.kills)
        wrong += some([f"missed: {each}" for each in sorted(verdict.missed)])
        wrong += some([f"none of the scope: {each}" for each in sorted(verdict.outside)])
        wrong += some(untrue_progress(followed.samples, heard, reason)) + outdated(scene.hubs.latest(kind), scene.model)
        wrong += _contradictions(view, verdict.distinct, touched) if view["state"] != "cancelled" else []
        undelivered = view["progress"]["undelivered"]
        twice_else = verdict.twice - verdict.twice_by_kills
        if twice_else > undelivered:
            wrong.append(f"{twice_else:,} came twice without a kill in between, and {undelivered:,} were tried again")
        if verdict.twice_by_kills > _BETWEEN_PLACES * len(followed.kills):
            wrong.append(f"{verdict.twice_by_kills:,} came twice by {len(followed.kills)} kills")
        return StepResult(
            step=name,
            kills=len(followed.kills),
            in_scope=len(expected.must),
            exported=verdict.events,
            missed=len(verdict.missed),
            outside=len(verdict.outside),
            twice_by_kills=verdict.twice_by_kills,
            twice_else=twice_else,
            seconds=followed.seconds,
            wrong=wrong,
            notes=[f"{undelivered:,} were not acknowledged at once, and tried again"] if undelivered else [],
        )


def _contradictions(view: Mapping[str, Any], distinct: int, touched: int) -> list[str]:
    """What the API says in the end against how many profiles the hub heard of."""
    if view["state"] != "done":
        return [f"it ended as {view['state']}: {view['note']}"]
    progress, wrong = view["progress"], []
    if progress["share"] != 1 or progress["secondsLeft"]:
        wrong.append(f"it is done, and its progress is {progress}")
    if not progress["exported"] <= distinct <= progress["exported"] + progress["undelivered"] + touched:
        wrong.append(f"{progress['exported']:,} exported by the API, {distinct:,} profiles by the hub")
    return wrong
