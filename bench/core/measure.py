"""Times the core and bare JSON in turns."""

import gc
import json
import statistics
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from bench.core.workload import NOW, Work, body_of, changes, stored_profile, targets_of
from shared.adapters.table_profiles import decode_state, encode_state
from shared.domain.message import decode_message
from shared.domain.state import ProfileState
from shared.domain.targets import Targets
from shared.domain.transition import transition

ROUNDS = 40
CHANGES = 500
DATAFLOWS = (1, 10, 100)
_WARM_UP = 2
_GOALS = {"with one export": 6, "with none": 3, "100 dataflows": 1.3}

Part: TypeAlias = Callable[[], float]
"""Does something for each change of a round, and tells the CPU seconds that it took."""


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """The figures, JSON as bench/results.json holds it: microseconds a change, ratios, and the goals."""
    parts = _parts()
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for number in range(-_WARM_UP, rounds):
        for name in parts if number % 2 else reversed(parts):
            taken = parts[name]()
            if number >= 0:
                seconds[name].append(taken)

    def ratio(name: str, to: str) -> float:
        return statistics.median(one / other for one, other in zip(seconds[name], seconds[to], strict=True))

    ratios = {
        "with one export": ratio(core_name(1, exported=True), "bare JSON, with one export"),
        "with none": ratio(core_name(1, exported=False), "bare JSON, with none"),
        **{
            f"{dataflows} dataflows": max(
                ratio(core_name(dataflows, exported=exported), core_name(1, exported=exported))
                for exported in (True, False)
            )
            for dataflows in DATAFLOWS[1:]
        },
    }
    return {
        "rounds": rounds,
        "changes_a_round": CHANGES,
        "microseconds": {name: round(statistics.median(taken) / CHANGES * 1e6, 2) for name, taken in seconds.items()},
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "goals": [
            {"what": f"{name}, ratio", "value": round(ratios[name], 3), "at_most": most, "holds": ratios[name] <= most}
            for name, most in _GOALS.items()
        ],
    }


def core_name(dataflows: int, *, exported: bool) -> str:
    return f"core, {'one export' if exported else 'none'}, {dataflows} dataflow{'s' if dataflows > 1 else ''}"


def _parts() -> dict[str, Part]:
    targets = {dataflows: targets_of(dataflows) for dataflows in DATAFLOWS}
    profile = stored_profile(targets[1])
    document = encode_state(profile)
    parts: dict[str, Part] = {}
    for exported in (True, False):
        work = changes(CHANGES, exported=exported)
        parts[f"bare JSON, with {'one export' if exported else 'none'}"] = _bare(work, body_of(profile, targets[1]))
        for dataflows in DATAFLOWS:
            parts[core_name(dataflows, exported=exported)] = _core(work, document, targets[dataflows], exported)
    parts["stored row, written"] = lambda: _timed(lambda: [encode_state(profile) for _ in range(CHANGES)])
    parts["stored row, read"] = lambda: _timed(lambda: [decode_state(document) for _ in range(CHANGES)])
    return parts


def _bare(work: list[Work], body: Any) -> Part:
    def run() -> None:
        for each in work:
            json.loads(each.change)
            json.dumps(body)

    return lambda: _timed(run)


def _core(work: list[Work], document: bytes, targets: Targets, exported: bool) -> Part:
    def part() -> float:
        states = [decode_state(document) for _ in work]
        return _timed(lambda: handle(work, states, targets, exports=len(work) if exported else 0))

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
    gc.collect()
    gc.disable()
    began = time.process_time()
    run()
    seconds = time.process_time() - began
    gc.enable()
    return seconds
