"""Times the core and bare JSON in turns."""

import gc
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from bench.core.workload import NOW, Work, body_of, changes, stored_profile, targets_of
from bench.harness.checks import Check
from shared.adapters.tables.profiles import decode_state, encode_state
from shared.domain.configuration.targets import Targets
from shared.domain.exports.transition import transition
from shared.domain.messages.message import decode_message
from shared.domain.profile.state import ProfileState

ROUNDS = 40
CHANGES = 500
AT_A_TIME = 48
"""Profiles are read right before they are changed, as many as an instance works on at a time (host.json)."""
DATAFLOWS = (1, 10, 100)
_WARM_UP = 2
WRITTEN, READ = "stored row, written", "stored row, read"
_MOST_OF_BARE = {True: 6.0, False: 3.0}
"""By whether the change calls for an export."""
_MOST_OF_ONE_DATAFLOW = 1.3
_MOST_OF_NO_SHADOW = {True: 1.7, False: 1.2}
"""By whether the change calls for an export, of which the shadow makes another."""

Measurement: TypeAlias = Callable[[], float]
"""Does something for each change of a round, and tells the CPU seconds that it took."""


def measure(rounds: int = ROUNDS) -> tuple[dict[str, Any], list[Check]]:
    """Figures for whoever computes with them, microseconds a change and ratios; and what of it must hold."""
    parts = _parts()
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    gc.freeze()  # the configurations, so that looking through them is not part of any round
    for number in range(-_WARM_UP, rounds):
        for name in parts if number % 2 else reversed(parts):
            gc.collect()
            gc.disable()
            taken = parts[name]()
            gc.enable()
            if number >= 0:
                seconds[name].append(taken)
    gc.unfreeze()

    def ratio(name: str, to: str) -> float:
        return statistics.median(one / other for one, other in zip(seconds[name], seconds[to], strict=True))

    microseconds = {name: statistics.median(taken) / CHANGES * 1e6 for name, taken in seconds.items()}
    checks = []
    for exported, most in _MOST_OF_BARE.items():
        name, bare = core_name(1, exported=exported), bare_name(exported=exported)
        of = f"{microseconds[name]:.1f} and {microseconds[bare]:.1f} µs of CPU a change"
        checks.append(Check(what=f"{name}, over bare JSON", value=ratio(name, bare), of=of, at_most=most))
        checks += [
            Check(
                what=f"{core_name(dataflows, exported=exported)}, over one dataflow",
                value=ratio(core_name(dataflows, exported=exported), name),
                at_most=_MOST_OF_ONE_DATAFLOW,
            )
            for dataflows in DATAFLOWS[1:]
        ]
        shadowed = shadowed_name(exported=exported)
        more = f"{microseconds[shadowed] - microseconds[name]:.1f} µs of CPU a change"
        most = _MOST_OF_NO_SHADOW[exported]
        checks.append(Check(what=f"{shadowed}, over none", value=ratio(shadowed, name), of=more, at_most=most))
    checks += [Check(what=f"{name}, µs of CPU", value=microseconds[name]) for name in (WRITTEN, READ)]
    ratios = {check.what: check.value for check in checks if check.bounded}
    return {"microseconds": microseconds, "ratios": ratios, "rounds": rounds, "changes_a_round": CHANGES}, checks


def core_name(dataflows: int, *, exported: bool) -> str:
    return f"core, {_what(exported)}, {dataflows} dataflow{'s' if dataflows > 1 else ''}"


def shadowed_name(*, exported: bool) -> str:
    return f"{core_name(1, exported=exported)} and a shadow"


def bare_name(*, exported: bool) -> str:
    return f"bare JSON, {_what(exported)}"


def _what(exported: bool) -> str:
    return "one export" if exported else "no export"


def _parts() -> dict[str, Measurement]:
    targets = {dataflows: targets_of(dataflows) for dataflows in DATAFLOWS}
    shadowed = targets_of(1, shadowed=True)
    profile = stored_profile(targets[1])
    document = encode_state(profile)
    parts: dict[str, Measurement] = {}
    for exported in (True, False):
        work = changes(CHANGES, exported=exported)
        parts[bare_name(exported=exported)] = _bare(work, body_of(profile, targets[1]))
        for dataflows in DATAFLOWS:
            parts[core_name(dataflows, exported=exported)] = _core(work, document, targets[dataflows], exported)
        parts[shadowed_name(exported=exported)] = _core(work, document, shadowed, exported)
    parts[WRITTEN] = lambda: _timed(lambda: [encode_state(profile) for _ in range(CHANGES)])
    parts[READ] = lambda: _timed(lambda: [decode_state(document) for _ in range(CHANGES)])
    return parts


def _bare(work: list[Work], body: Any) -> Measurement:
    def run() -> None:
        for each in work:
            json.loads(each.change)
            json.dumps(body)

    return lambda: _timed(run)


def _core(work: list[Work], document: bytes, targets: Targets, exported: bool) -> Measurement:
    def part() -> float:
        seconds = 0.0
        for start in range(0, len(work), AT_A_TIME):
            some = work[start : start + AT_A_TIME]
            states = [decode_state(document) for _ in some]
            seconds += _timed(partial(handle, some, states, targets, exports=len(some) if exported else 0))
        return seconds

    return part


def handle(work: list[Work], states: list[ProfileState], targets: Targets, exports: int) -> None:
    """What `ExportChanges` and `ProfileWriter` do to each message between their requests.

    Raises AssertionError where other than `exports` exports come of it.
    """
    made = 0
    for number, (each, state) in enumerate(zip(work, states, strict=True)):
        decoded = decode_message(each.message, NOW)
        result = transition(state, decoded.changes, f"8d0b6f1a-0000-0000-0000-{number:012}", targets, NOW)
        state.forget_outdated(NOW)
        made += len(result.exports)
        if not result.altered:
            raise AssertionError("expected each change to alter its profile")
    if made != exports:
        raise AssertionError(f"expected {exports} exports, got {made}")


def _timed(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began
