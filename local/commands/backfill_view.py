"""A backfill or sweep as the command line shows it: a row of a table, a line, or JSON."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.terminal import duration, printable
from shared.bootstrap import Relay, clock
from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState, Progress, Slice
from shared.domain.configuration.model import Configuration
from shared.domain.instants import SECOND, format_instant
from shared.domain.profile.memberships import AudienceKey

HEADINGS = ("ID", "TO", "AUDIENCES", "STATE", "MEMBERS", "EXPORTED", "UNDELIVERED", "SHARE", "RATE", "LEFT", "AGE")
NUMBERS = {"MEMBERS", "EXPORTED", "UNDELIVERED", "RATE", "LEFT", "AGE"}
PAUSED = "paused"
_NAMES_SHOWN = 30
_BAR_CELLS = 8


@dataclass(frozen=True, slots=True)
class BackfillView:
    """`now` (microseconds) is when it looked like this; `names` are the audiences' as far as the catalog has them.

    `note`: why it ended as it did, or what keeps its slices from going on.
    """

    backfill: Backfill
    progress: Progress
    paused: bool
    note: str
    names: tuple[str, ...]
    now: int

    @classmethod
    def of(cls, backfill: Backfill, slices: Sequence[Slice], configuration: Configuration, now: int) -> "BackfillView":
        enabled = {dataflow.id: dataflow.enabled for dataflow in configuration.dataflows}
        catalog = {audience.key: audience.name for audience in configuration.audiences}
        held = Counter(part.note for part in slices if part.note and not part.done)
        return cls(
            backfill=backfill,
            progress=Progress.of(backfill, slices, now),
            paused=not backfill.finished and not enabled.get(backfill.destination_id, True),
            note=backfill.note or (held.most_common(1)[0][0] if held and not backfill.finished else ""),
            names=tuple(_name(key, catalog) for key, _ in backfill.audiences),
            now=now,
        )

    @property
    def state(self) -> str:
        """That of the backfill; or paused, while its dataflow is."""
        return PAUSED if self.paused else str(self.backfill.state)

    @property
    def facts(self) -> tuple[Any, ...]:
        """What must differ for it to have changed; time alone changes nothing."""
        progress = self.progress
        return self.state, self.note, progress.members, progress.exported, progress.undelivered, progress.share

    @property
    def readable_state(self) -> str:
        backfill = self.backfill
        if self.paused:
            return PAUSED
        if backfill.state == BackfillState.WAITING:
            wait = (backfill.due_at - self.now) / SECOND
            return f"waiting, due in {duration(wait)}" if wait > 0 else "waiting for its start"
        if backfill.state == BackfillState.DONE:
            return f"done in {duration((backfill.finished_at - backfill.started_at) / SECOND)}"
        if self.note.startswith(self.state):
            return self.note
        return f"{self.state}: {self.note}" if self.note else self.state

    @property
    def cells(self) -> dict[str, str]:
        """By heading; what does not apply is a dash."""
        backfill, progress = self.backfill, self.progress
        at_work = backfill.state == BackfillState.RUNNING and not self.paused
        cells = {
            "ID": backfill.id,
            "TO": backfill.destination_id or "-",
            "AUDIENCES": self._audiences,
            "STATE": self.readable_state,
            "MEMBERS": f"{progress.members:,}",
            "EXPORTED": f"{progress.exported:,}",
            "UNDELIVERED": f"{progress.undelivered:,}",
            "SHARE": _bar(progress.share),
            "RATE": f"{progress.rate:,.0f}/s" if progress.rate else "-",
            "LEFT": duration(progress.seconds_left) if at_work and progress.seconds_left is not None else "-",
            "AGE": duration((self.now - backfill.requested_at) / SECOND),
        }
        return {heading: printable(cell) for heading, cell in cells.items()}

    @property
    def line(self) -> str:
        """For a pipe: when, which, state and how far."""
        progress = self.progress
        counts = [f"{progress.members:,} members", f"{progress.exported:,} exported"]
        if progress.undelivered:
            counts.append(f"{progress.undelivered:,} undelivered")
        when = format_instant(self.now // SECOND * SECOND)
        return printable(
            f"{when}  {self.backfill.id}  {self.readable_state}  {progress.share:.0%}  {', '.join(counts)}"
        )

    @property
    def _audiences(self) -> str:
        if self.backfill.kind == BackfillKind.SWEEP:
            return "all profiles"
        names = ", ".join(self.names)
        return names if len(names) <= _NAMES_SHOWN else f"{len(self.names)} audiences"

    def to_json(self) -> dict[str, Any]:
        backfill = self.backfill
        times = {
            "requestedAt": backfill.requested_at,
            "dueAt": backfill.due_at,
            "startedAt": backfill.started_at,
            "finishedAt": backfill.finished_at,
        }
        return {
            "id": backfill.id,
            "kind": str(backfill.kind),
            "destination": backfill.destination_id or None,
            "audiences": [
                {"namespace": namespace, "id": audience_id, "since": None if since is None else format_instant(since)}
                for (namespace, audience_id), since in backfill.audiences
            ],
            "state": self.state,
            **{name: format_instant(at) if at else None for name, at in times.items()},
            "note": self.note or None,
            **self.progress.to_json(),
        }


async def look(relay: Relay) -> list[BackfillView]:
    """Every backfill and sweep as it is now, the oldest first. Raises StorageError."""
    configuration = (await relay.configuration.load()).configuration
    backfills = await relay.services.plan_backfills.all()
    stored = await asyncio.gather(*(relay.backfills.slices(backfill.id) for backfill in backfills))
    now = clock()
    return [
        BackfillView.of(backfill, [each.slice for each in slices], configuration, now)
        for backfill, slices in zip(backfills, stored, strict=True)
    ]


def _name(key: AudienceKey, catalog: Mapping[AudienceKey, str]) -> str:
    return catalog.get(key) or "/".join(key)


def _bar(share: float) -> str:
    full = int(share * _BAR_CELLS)
    return f"{'█' * full}{'░' * (_BAR_CELLS - full)} {int(share * 100):3} %"
