"""Changes by the thousand, the same for the same seed, for which the order of delivery does not decide who hears what.

Two kinds of profiles make sure of that, so that the model is exact although changes arrive shuffled and doubled:

- A *steady* profile enters audiences and never leaves them, each with one write, and every identity map differs from
  all others. So whatever a destination sees of it changes only by changes that the destination must hear of, in any
  order. Its last export shows all of it, whichever change that happens to be.
- A *wandering* profile enters, leaves and re-enters audiences, shown ones too, and writes whatever it likes. What each
  destination hears on the way depends on the order. But its last change enters a closing audience of each destination
  that ever can have heard of it, and is sent only after all the others were handled: so it must be exported to all
  of these, and nothing comes after it.

Each profile takes part in some destinations only; the others' audiences it leaves without ever having entered them, and
they must never hear of it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.load.configuration import DESTINATIONS, EVERYONE, buyers, closing, lookalikes, members

_WORDS = ("Ada", "Bea", "Cem", "Ömer", "日本", "")
_STEADY_SHARE = 0.6


@dataclass(frozen=True)
class GeneratedChanges:
    """`closing` are to be sent after all of `load` were handled. Both are in the order of their times."""

    load: list[dict[str, Any]]
    closing: list[dict[str, Any]]

    @property
    def all(self) -> list[dict[str, Any]]:
        return self.load + self.closing


def generate(seed: int, *, changes: int, profiles: int, start: datetime) -> GeneratedChanges:
    """`changes` distinct changes of `profiles` profiles, written within half an hour from `start`.

    `changes` should be some times `profiles`: each profile gets at least one, and a wandering one a closing change.
    """
    rng = random.Random(seed)
    makers = [
        (_Steady if rng.random() < _STEADY_SHARE else _Wandering)(f"{seed}-profile-{number}", rng)
        for number in range(profiles)
    ]
    wandering = [maker for maker in makers if isinstance(maker, _Wandering)]
    # A few busy profiles make workers compete for their rows.
    busy = makers[: max(1, profiles // 50)]
    count = max(changes - len(wandering), len(makers))
    written_by = makers + [rng.choice(busy if rng.random() < 0.2 else makers) for _ in range(count - len(makers))]
    rng.shuffle(written_by)
    step = timedelta(minutes=30) / (count + len(wandering))
    times = [start + step * number for number in range(count + len(wandering))]
    histories: dict[_Maker, list[datetime]] = {}
    for maker, time in zip(written_by, times, strict=False):
        histories.setdefault(maker, []).append(time)
    load = [change for maker, of_maker in histories.items() for change in maker.history(of_maker)]
    rng.shuffle(wandering)
    return GeneratedChanges(
        load=sorted(load, key=_time),
        closing=[maker.last(time) for maker, time in zip(wandering, times[count:], strict=True)],
    )


def _time(change: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(change["occurredAt"])


def _text(time: datetime, rng: random.Random) -> str:
    """One of the forms that times come in."""
    text = time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return text + rng.choice(("Z", "+00:00", "+0000"))


class _Maker:
    """Makes the changes of one profile, which takes part in `parts`."""

    def __init__(self, profile_id: str, rng: random.Random) -> None:
        self._rng = rng
        self._profile_id = profile_id
        self._identities = 0
        self.parts = rng.sample(DESTINATIONS, rng.choice((0, 1, 1, 2, 2, 3, 4)))

    def history(self, times: Sequence[datetime]) -> list[dict[str, Any]]:
        return [self._change(time, self._memberships(number, time)) for number, time in enumerate(times)]

    def _memberships(self, number: int, time: datetime) -> dict[str, Any]:
        """Those that change `number` writes."""
        raise NotImplementedError

    def _change(self, time: datetime, memberships: dict[str, Any]) -> dict[str, Any]:
        rng = self._rng
        change: dict[str, Any] = {"profileId": self._profile_id, "occurredAt": _text(time, rng)}
        if memberships:
            change["segmentMembership"] = {"ups": memberships}
        if not memberships or rng.random() < 0.3:
            change["attributes"] = _patch(rng) | (_patch(rng) if rng.random() < 0.3 else {})
        if rng.random() < 0.15:
            change["identityMap"] = self._identity_map()
        return change

    def _entry(self, status: str, time: datetime) -> dict[str, Any]:
        return {"status": status, "lastQualificationTime": _text(time.replace(microsecond=0), self._rng)}

    def _left_without_entering(self, time: datetime) -> dict[str, Any]:
        """An exit from a destination that the profile takes no part in: nobody hears of it."""
        others = [destination for destination in DESTINATIONS if destination not in self.parts]
        if not others or self._rng.random() < 0.9:
            return {}
        audience = self._rng.choice((members, buyers))(self._rng.choice(others))
        return {audience: self._entry(self._rng.choice(("exited", "exiting")), time)}

    def _identity_map(self) -> dict[str, Any] | None:
        """A map as no other change of this profile has it, or an empty one."""
        if self._rng.random() < 0.05:
            return self._rng.choice(({}, None))
        self._identities += 1
        ecids = [{"id": f"{self._profile_id}-{number}"} for number in range(self._identities)]
        return {"ecid": ecids[-3:], **({"email": [{"id": f"{self._profile_id}@example.org"}]} if ecids[1:] else {})}


class _Steady(_Maker):
    _entered_at: dict[str, int]

    def history(self, times: Sequence[datetime]) -> list[dict[str, Any]]:
        self._entered_at = self._plan(len(times))
        return super().history(times)

    def _memberships(self, number: int, time: datetime) -> dict[str, Any]:
        entered = [audience for audience, when in self._entered_at.items() if when == number]
        entries = {audience: self._entry(self._rng.choice(("realized", "existing")), time) for audience in entered}
        return self._left_without_entering(time) | entries

    def _plan(self, count: int) -> dict[str, int]:
        """When each audience is entered: that of members at any time, others perhaps."""
        rng = self._rng
        audiences = [members(part) for part in self.parts] + [buyers(part) for part in self.parts if rng.random() < 0.5]
        if len(self.parts) == len(DESTINATIONS):
            audiences.append(EVERYONE)
        return {audience: rng.randrange(count) for audience in audiences}


class _Wandering(_Maker):
    def _memberships(self, number: int, time: datetime) -> dict[str, Any]:
        rng = self._rng
        entries = self._left_without_entering(time)
        if self.parts and rng.random() < 0.5:
            for _ in range(rng.choice((1, 1, 2))):
                audience = rng.choice((members, members, buyers, lookalikes))(rng.choice(self.parts))
                status = rng.choice(("realized", "realized", "existing", "exited", "exiting"))
                entries[audience] = self._entry(status, time)
        return entries

    def last(self, time: datetime) -> dict[str, Any]:
        """The closing change."""
        return self._change(time, {closing(part): self._entry("realized", time) for part in self.parts})


def _patch(rng: random.Random) -> dict[str, Any]:
    """A merge patch: few values, so that some are written twice; objects, scalars and nothing in each other's place."""
    word, number = rng.choice(_WORDS), rng.randrange(5)
    patches: tuple[dict[str, Any], ...] = (
        {"person": {"name": {"first": word}}},
        {"person": {"name": {"last": word}}},
        {"person": {"name": rng.choice((None, None, word, {}))}},
        {"person": {"birthDate": f"1990-01-0{number + 1}"}},
        {"loyalty": {"tier": rng.choice(("gold", "silver", None))}},
        {"loyalty": {"points": number}},
        {"loyalty": rng.choice((None, {}, {"tier": "gold", "points": number}))},
        {"score": rng.choice((number, number + 0.5, True, None, -(2**53)))},
        {"consents": {"ads": rng.random() < 0.5, "mail": rng.choice((True, None))}},
        {"consents": {"ads": {"until": word}}},
        {"cart": {"items": [{"sku": word, "gift": None}, [number], None][: number + 1]}},
        {"cart": rng.choice((None, {"items": []}, word))},
        {"personalEmail": {"address": f"{word}@example.org"}},
        {"unmapped": {"deep": {word: number}}},
    )
    return rng.choice(patches)
