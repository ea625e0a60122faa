"""Why an event came twice: by what sent it the first time, and what sends it again."""

from dataclasses import dataclass

from tests.faults.simulator.life import Invocation


@dataclass(eq=False)
class Sent:
    """`acknowledged`: the worker heard that the hub has it."""

    by: Invocation
    worker: str
    acknowledged: bool = False


def cause_of(first: Sent, again: Sent) -> str:
    by = again.by
    if first is again:
        return "sent again over a new connection"
    if by.function == "changes":
        if 1 == first.by.delivery == by.delivery:
            return "another message brings the same version"
        heard = "acknowledged" if first.acknowledged else "of unknown outcome"
        return f"message delivered again, {heard} before"
    if by.function == "slices":
        return "slice begun again" if first.by.function == "slices" else "backfilled beside a change"
    if by.function == "retries":
        return "tried again after an unknown outcome" if not first.acknowledged else "tried again though acknowledged"
    if by.function == "settling":
        return "settled the order"
    return "probed or redriven"
