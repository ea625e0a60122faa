"""How much of it: the long form and the short one."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.faults.resync.audience import CALM, KILLED

What = Literal["count", "map", "everything", "audience", "profiles", "saved since", "keys", "cancel"]
Step: TypeAlias = tuple[What, str]
"""What is done, and to which destination: CALM, or KILLED, to which hosts die meanwhile."""

_RESYNCS: tuple[What, ...] = ("profiles", "saved since", "keys", "audience", "everything")
ALL_STEPS: tuple[Step, ...] = (
    ("count", CALM),
    *((what, kind) for what in ("map", *_RESYNCS) for kind in (CALM, KILLED)),
    ("cancel", CALM),
    ("count", KILLED),
)
_SHORT_STEPS: tuple[Step, ...] = (
    ("count", CALM),
    ("map", KILLED),
    ("saved since", KILLED),
    ("everything", KILLED),
    ("map", CALM),
    ("audience", CALM),
    ("profiles", CALM),
    ("keys", CALM),
    ("cancel", CALM),
)


@dataclass(frozen=True, kw_only=True)
class Size:
    """`rate`: changes a second, so many `together` in a message: for a second after one a host lets exports wait.
    `kills`: in each step with kills. `per_second`: the pace of a host's backfills. `config_cache`, `send_timeout`: in
    seconds; a backfill is due after twice the first and once the second. `lease`: seconds for which a host hides what
    it has in hand; where a busy one is late to say that it goes on, others get it, too. `named`: profiles of the scope
    by ids. `keys`: the range of the scope by keys. `ends_within`: seconds for a step.
    """

    members: int
    outsiders: int
    rate: float
    together: int
    kills: int
    per_second: float
    config_cache: float
    send_timeout: float
    lease: int
    named: int
    keys: tuple[str, str]
    ends_within: float
    polled_every: float
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, members: int, rate: float, kills: int, per_second: float) -> "Size":
        """The long form with so many members."""
        return cls(
            members=members,
            outsiders=members // 4,
            rate=rate,
            together=25,
            kills=kills,
            per_second=per_second,
            config_cache=3.0,
            send_timeout=5.0,
            lease=20,
            named=min(10_000, members // 4),
            keys=("3a8", "5a7"),
            ends_within=1_800.0,
            polled_every=1.0,
            steps=ALL_STEPS,
        )


SHORT = Size(
    members=240,
    outsiders=60,
    rate=5.0,
    together=5,
    kills=1,
    per_second=40.0,
    config_cache=0.5,
    send_timeout=3.0,
    lease=10,
    named=60,
    keys=("3a8", "9"),
    ends_within=90.0,
    polled_every=0.1,
    steps=_SHORT_STEPS,
)
