"""What a seed stands for: who changes when, how many workers there are, what breaks. Its parts go by name."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from tests.faults.load.changes import GeneratedChanges, generate
from tests.faults.load.configuration import DESTINATIONS
from tests.faults.load.messages import Message, messages
from tests.faults.simulator.life import SENDS

START = datetime(2026, 1, 11, 21, tzinfo=UTC)
_BACKFILLED_WITHIN = 130.0
"""Seconds from the begin of the closing changes to when what was mapped last is backfilled."""
_DIES_DURING = ("", "", SENDS, SENDS, "changes", "retries", "slices", "watch_destinations")
_CLOCKS_OFF = 0.2
"""Seconds by which a worker's clock is off at most: any two differ by less than is promised for."""


class Kind(StrEnum):
    """What can go wrong, or be done by people. All but the first three and the last three last for a while."""

    KILL = "worker killed"
    STOP = "worker told to stop"
    LEASE_LOST = "lease of a message lost"
    STORAGE_ERRORS = "storage errors"
    STORAGE_DOWN = "storage down"
    STORAGE_SLOW = "storage slow"
    HUB_DOWN = "hub down"
    HUB_DEAD = "hub dead"
    HUB_SILENT = "hub silent"
    HUB_THROTTLES = "hub throttles"
    REPLIES_LOST = "replies of a hub lost"
    PAUSED = "dataflow paused"
    UNMAPPED = "audiences unmapped"
    REDRIVE = "redrive asked for"
    SWEEP = "sweep asked for"


_WEIGHTS = {
    Kind.KILL: 6,
    Kind.STOP: 1,
    Kind.LEASE_LOST: 2,
    Kind.STORAGE_ERRORS: 4,
    Kind.STORAGE_DOWN: 1,
    Kind.STORAGE_SLOW: 1,
    Kind.HUB_DOWN: 3,
    Kind.HUB_DEAD: 1,
    Kind.HUB_SILENT: 2,
    Kind.HUB_THROTTLES: 1,
    Kind.REPLIES_LOST: 3,
    Kind.PAUSED: 2,
    Kind.UNMAPPED: 3,
    Kind.REDRIVE: 1,
    Kind.SWEEP: 1,
}
_KINDS_TOGETHER = (1, 2, 3, 5)
"""Of so many kinds are the faults of one seed: the more there are, the seldomer two of a kind meet."""
ALL = "all destinations"
OF_A_WORKER = {Kind.KILL, Kind.STOP}
_OF_ONE_DESTINATION = {Kind.HUB_DEAD, Kind.REDRIVE}
OF_THE_CONFIGURATION = {Kind.PAUSED, Kind.UNMAPPED}


@dataclass(frozen=True)
class Fault:
    """`at` seconds from the begin, or from the begin of the closing changes if `late`, for so many `seconds`.

    `target`: the worker's number or the destination. `share` of the requests or sends that it meets. `steps`: after so
    many requests and sends a worker dies, `during` a function, or of sends alone, or whatever it does.
    """

    name: str
    kind: Kind
    at: float
    seconds: float
    target: str
    share: float
    steps: int
    during: str
    late: bool

    def __str__(self) -> str:
        when = "closing" if self.late else "begin"
        how = f"{self.share:.0%}"
        if self.kind in OF_A_WORKER:
            how = f"after {self.steps} steps of {self.during or 'any kind'}"
        return f"{self.name}: {self.kind} ({self.target}), {self.seconds:.1f} s from {when} + {self.at:.1f} s, {how}"


@dataclass(frozen=True)
class Recipe:
    """What to play: all that `seed` stands for, or `only` the parts of its plan with these names.

    With another `luck` than 0 the same plan meets other delays, and workers die earlier: what a seed made fail often
    takes some other luck once parts of it are left out.
    """

    seed: int
    only: tuple[str, ...] | None = None
    luck: int = 0

    def __str__(self) -> str:
        """The options that play it."""
        only = "" if self.only is None else f" --only {','.join(self.only)}"
        return f"--seed {self.seed}{only}" + (f" --luck {self.luck}" if self.luck else "")

    def random(self, what: str) -> random.Random:
        """What decides on everything of a run that is no part of the plan."""
        return random.Random(f"{self.seed}-{self.luck}-{what}")


@dataclass(frozen=True)
class Plan:
    """`load` are the messages and when each is sent; `closing` is sent when all of them are handled.

    `clocks`: by how many seconds the clock of each worker is off. `late`: the share of requests that take long at any
    time. `names` are those of all parts that can be left out.
    """

    recipe: Recipe
    changes: GeneratedChanges
    load: Sequence[tuple[float, Message]]
    closing: Sequence[Message]
    faults: Sequence[Fault]
    clocks: Sequence[float]
    late: float
    names: Sequence[str]

    @property
    def configured(self) -> set[str]:
        """The destinations whose dataflow is not what it is in the end all the time."""
        changed = {fault.target for fault in self.faults if fault.kind in OF_THE_CONFIGURATION}
        return set(DESTINATIONS) if ALL in changed else changed

    @property
    def dead(self) -> frozenset[str]:
        """The destinations that are dead to the end."""
        return frozenset(fault.target for fault in self.faults if fault.kind is Kind.HUB_DEAD)


def plan(recipe: Recipe) -> Plan:
    """What `recipe` stands for.

    Faults are `f0` and so on, profiles `p0`, changes `c0`. The closing change of a profile goes only with its profile:
    without it, the order of the others would decide what is exported last.
    """
    seed, rng = recipe.seed, random.Random(recipe.seed)
    profiles = rng.randint(2, 7)
    generated = generate(seed, changes=rng.randint(profiles, 45), profiles=profiles, start=START)
    workers = rng.choice((1, 2, 2, 3))
    lasts = rng.choice((2.0, 15.0, 60.0))
    clocks = [rng.uniform(-_CLOCKS_OFF, _CLOCKS_OFF) for _ in range(workers)]
    late = rng.choice((0.0, 0.0, 0.1, 0.2, 0.4))
    kinds = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=rng.choice(_KINDS_TOGETHER))
    faults = [_fault(rng, number, kinds, workers, lasts) for number in range(rng.choice((0, 2, 3, 5, 8)))]
    names = _names(generated, faults, profiles)
    kept = set(names if recipe.only is None else recipe.only)
    changes = _left(generated, kept)
    of_messages = random.Random(f"{seed}-messages")
    load = messages(changes.load, of_messages, window=of_messages.choice((5, 500)), most_in_one=rng.choice((1, 4, 12)))
    times = sorted(of_messages.uniform(0.0, lasts) for _ in load)
    return Plan(
        recipe=recipe,
        changes=changes,
        load=list(zip(times, load, strict=True)),
        closing=messages(changes.closing, of_messages, window=500, most_in_one=3),
        faults=[fault for fault in faults if fault.name in kept],
        clocks=clocks,
        late=late,
        names=names,
    )


def _fault(rng: random.Random, number: int, kinds: Sequence[Kind], workers: int, lasts: float) -> Fault:
    kind = rng.choice(kinds)
    target = rng.choice(DESTINATIONS)
    if kind in OF_A_WORKER:
        target = str(rng.randrange(workers))
    elif kind not in _OF_ONE_DESTINATION and rng.random() < 0.5:
        target = ALL
    late = kind not in {*OF_THE_CONFIGURATION, Kind.HUB_DEAD} and rng.random() < 0.4
    at, seconds = rng.uniform(0.0, lasts), rng.choice((0.5, 5.0, 20.0, 70.0)) * rng.uniform(0.5, 1.5)
    if late:
        at = rng.uniform(0.0, rng.choice((5.0, _BACKFILLED_WITHIN)))
    elif kind is Kind.HUB_DEAD or rng.random() < 0.4:
        at = 0.0
    if kind in OF_THE_CONFIGURATION:  # so long that something is written meanwhile
        seconds = lasts * rng.uniform(0.3, 1.2)
    during = rng.choice(_DIES_DURING)
    return Fault(
        name=f"f{number}",
        kind=kind,
        at=at,
        seconds=seconds,
        target=target,
        share=rng.choice((0.1, 0.5, 1.0)),
        steps=rng.randint(1, 8) if during else rng.choice((1, 5, 20, 100)) * rng.randint(1, 4),
        during=during,
        late=late,
    )


def _names(generated: GeneratedChanges, faults: Sequence[Fault], profiles: int) -> list[str]:
    return [
        *(fault.name for fault in faults),
        *(f"p{number}" for number in range(profiles)),
        *(f"c{number}" for number in range(len(generated.load))),
    ]


def _left(generated: GeneratedChanges, kept: set[str]) -> GeneratedChanges:
    def has_profile(change: dict[str, str]) -> bool:
        return f"p{change['profileId'].rpartition('-')[2]}" in kept

    return GeneratedChanges(
        load=[each for number, each in enumerate(generated.load) if f"c{number}" in kept and has_profile(each)],
        closing=[each for each in generated.closing if has_profile(each)],
    )
