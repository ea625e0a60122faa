"""What all steps share, and how one that runs is followed: its progress by the API, and kills on its way."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.stack.local_stack import LocalStack
from tests.faults.load.storage import Storage
from tests.faults.resync.audience import KILLED, Model
from tests.faults.resync.flow import Flow
from tests.faults.resync.hosts import Hosts, KillPlan
from tests.faults.resync.hubs import Hubs
from tests.faults.resync.judge import Sample
from tests.faults.resync.size import Size

Report = Callable[[str], None]

ENDED = {"done", "failed", "cancelled"}
_TOLD_EVERY = 5.0


@dataclass(frozen=True)
class Scene:
    stack: LocalStack
    size: Size
    rng: random.Random
    model: Model
    flow: Flow
    storage: Storage
    hubs: Hubs
    hosts: Hosts
    report: Report


@dataclass
class Followed:
    """What the API said of one backfill, resync or sweep until it had ended, or until it was left."""

    view: Mapping[str, Any] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    kills: list[tuple[float, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        started, finished = self.view.get("startedAt"), self.view.get("finishedAt")
        if not started or not finished:
            return 0.0
        return (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()


async def follow(scene: Scene, name: str, backfill_id: str, kind: str, *, until_share: float = 2.0) -> Followed:
    """Until it has ended or come to that share. Hosts are killed on the way if the step is of that `kind`."""
    kills = scene.size.kills if kind == KILLED else 0
    plan, first_kill = KillPlan.of(kills, scene.rng), len(scene.hosts.kills)
    followed = Followed()
    killing: asyncio.Task[None] | None = None
    began = told = time.monotonic()
    while True:
        asked = time.time()
        followed.view = view = await scene.hosts.get(f"/api/backfills/{backfill_id}")
        progress = view["progress"]
        counts = (progress[each] for each in ("members", "exported", "undelivered"))
        followed.samples.append(Sample(asked, time.time(), *counts))
        if view["state"] in ENDED or progress["share"] >= until_share:
            break
        if time.monotonic() - began > scene.size.ends_within:
            followed.wrong.append(f"not ended after {scene.size.ends_within:g} s: {view['standstill']}")
            break
        if time.monotonic() - told >= _TOLD_EVERY:
            told = time.monotonic()
            scene.report(f"{name}, {told - began:.0f} s: {told_of(view)}, {len(scene.hosts.kills)} kills so far")
        if (killing is None or killing.done()) and view["state"] == "running" and plan.overdue(progress["share"]):
            killing = asyncio.create_task(scene.hosts.kill_one())
        await asyncio.sleep(scene.size.polled_every)
    if killing is not None:
        await killing
    followed.kills = scene.hosts.kills[first_kill:]
    if kills and not followed.kills:
        followed.wrong.append("it ended before anything was killed")
    return followed


def told_of(view: Mapping[str, Any]) -> str:
    progress = view["progress"]
    standstill = f", {view['standstill']['reason']}" if view["standstill"] else ""
    return (
        f"{view['state']}{standstill}, {progress['share']:.0%}, {progress['members']:,} members, "
        f"{progress['exported']:,} exported, {progress['membersPerSecond']:,.0f}/s"
    )
