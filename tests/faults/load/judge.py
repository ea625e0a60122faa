"""The hubs against the model: what is lost, what nobody asked for, what came twice, what survived a fault."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.exports import Export
from tests.faults.load.causes import causes_of_duplicates
from tests.faults.load.disturbances import Disturbance
from tests.faults.load.model import Model, Pair
from tests.faults.load.profiles import canonical

_PROPERTIES = {"profileVersion": int, "configRevision": int, "occurredAt": str, "reason": str}


@dataclass
class LoadVerdict:
    """`lost` and `unexpected` say what, for people. `problems` are promises broken besides.

    Lost: a (destination, profile) that must be exported and whose export of the greatest (profileVersion,
    configRevision) is missing or differs from the model. Unexpected: an export that no change of its profile calls for,
    or with something in it that none wrote. Duplicated: exports beyond the first with the same message_id.

    Recovered: a (destination, profile) that is right although its exports were under way while something was broken.
    That is: some export of it was caused by a change (`occurredAt`) that was put on the queue before a fault of its
    destination, of a host or of storage ended, and it was stored after that fault began.

    `pairs` are the (destination, profile) that have exports, `out_of_order` those of them whose last event in the
    partition is not the greatest (profileVersion, configRevision): whoever keeps what came last is wrong there.
    `causes` counts the duplicated by why they came again.
    """

    lost: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    duplicated: int = 0
    recovered: int = 0
    pairs: int = 0
    out_of_order: list[str] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def judge(
    model: Model,
    exports: Iterable[Export],
    *,
    dead: frozenset[str],
    disturbances: Sequence[Disturbance],
    sent_at: Mapping[Pair, float],
) -> LoadVerdict:
    """`sent_at`: (profile id, occurredAt) -> when that change was first sent. `dead` destinations may lack exports."""
    verdict = LoadVerdict()
    by_pair: dict[Pair, list[Export]] = defaultdict(list)
    for export in exports:
        if problem := _malformed(export, model):
            verdict.unexpected.append(problem)
            continue
        pair = export.properties["destinationId"], export.properties["profileId"]
        by_pair[pair].append(export)
        if not model.calls_for(*pair):
            verdict.unexpected.append(f"{_name(export)}: no change calls for it")
        elif not model.explains(*pair, export.body):
            verdict.unexpected.append(f"{_name(export)}: no change wrote this: {canonical(export.body)}")
    sent = {(profile_id, _instant(occurred_at)): when for (profile_id, occurred_at), when in sent_at.items()}
    for pair, body in model.expected().items():
        if pair[0] in dead:
            continue
        of_pair = by_pair[pair]
        if wrong := _wrong(of_pair, body):
            verdict.lost.append(f"{pair}: {wrong}")
        elif any(_crossed(export, sent, disturbances) for export in of_pair):
            verdict.recovered += 1
    for pair, of_pair in by_pair.items():
        ids = [export.message_id for export in of_pair]
        verdict.duplicated += len(ids) - len(set(ids))
        verdict.causes += causes_of_duplicates(of_pair)
        verdict.problems += _broken_promises(pair, of_pair)
    of_pairs = {pair: of_pair for pair, of_pair in by_pair.items() if of_pair}
    verdict.pairs = len(of_pairs)
    verdict.out_of_order = [f"{pair}: {late}" for pair, each in of_pairs.items() if (late := _out_of_order(each))]
    return verdict


def _malformed(export: Export, model: Model) -> str | None:
    destination = model.destinations.get(export.properties.get("destinationId", ""))
    if destination is None or destination.hub != export.hub:
        return f"an export in hub {export.hub} says that it is for {export.properties.get('destinationId')!r}"
    for name, type_ in _PROPERTIES.items():
        if not isinstance(export.properties.get(name), type_):
            return f"{_name(export)}: expected a property {name}, {type_.__name__}"
    return None


def _name(export: Export) -> str:
    properties = export.properties
    return (
        f"{export.hub}/{export.partition} #{export.sequence_number}, profile {properties.get('profileId')!r} "
        f"version {properties.get('profileVersion')}"
    )


def _wrong(exports: Sequence[Export], expected: dict[str, Any]) -> str | None:
    if not exports:
        return f"never exported, expected {canonical(expected)}"
    last = max(exports, key=_order)
    if canonical(last.body) == canonical(expected):
        return None
    return f"the last of {len(exports)} exports is {canonical(last.body)}, expected {canonical(expected)}"


def _out_of_order(exports: Sequence[Export]) -> str | None:
    last, greatest = max(exports, key=lambda export: export.sequence_number), max(exports, key=_order)
    if _order(last) == _order(greatest):
        return None
    return (
        f"#{last.sequence_number} of version {last.properties['profileVersion']} came after "
        f"#{greatest.sequence_number} of version {greatest.properties['profileVersion']}, and nothing after it"
    )


def _order(export: Export) -> tuple[int, int]:
    return export.properties["profileVersion"], export.properties["configRevision"]


def _crossed(export: Export, sent: Mapping[tuple[str, datetime], float], disturbances: Iterable[Disturbance]) -> bool:
    change_sent = sent.get((export.properties["profileId"], _instant(export.properties["occurredAt"])))
    stored = export.enqueued_time.timestamp()
    return change_sent is not None and any(
        change_sent <= disturbance.ended
        and stored >= disturbance.began
        and disturbance.destination in {None, export.properties["destinationId"]}
        for disturbance in disturbances
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _broken_promises(pair: Pair, exports: Sequence[Export]) -> list[str]:
    problems = []
    partitions = {export.partition for export in exports}
    if len(partitions) > 1:
        problems.append(f"{pair}: its exports are on partitions {', '.join(sorted(partitions))}, expected one")
    same: dict[tuple[int, int], list[Export]] = defaultdict(list)
    for export in exports:
        same[_order(export)].append(export)
    for order, versions in same.items():
        if len({canonical(export.body) for export in versions}) > 1:
            bodies = " and ".join(sorted({canonical(export.body) for export in versions}))
            problems.append(f"{pair}: {order} names two bodies: {bodies}")
        if len({export.message_id for export in versions}) > 1:
            problems.append(f"{pair}: {order} goes by several message ids")
    if len({export.message_id for export in exports}) != len(same):
        problems.append(f"{pair}: {len(same)} versions go by {len({e.message_id for e in exports})} message ids")
    return problems
