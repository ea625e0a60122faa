"""What of a trace, recorded or replayed, is compared: each fact by its name in the fixtures."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.kit.host_replay import Record

_POLLS = ("GetMessages", "GetQueueMetadata")
_FIRST_POLLS = 10
_FIRST_TRIES = 3


def record_of(trace: Mapping[str, Any]) -> Record:
    """A recorded trace in the form of a replayed one."""
    gone = {
        mark["what"].partition("host ")[2][0]: mark["t"]
        for mark in trace["marks"]
        if "gone, exit code 0" in mark["what"]
    }
    left = [message for queue in trace["final"] for message in queue["messages"]]
    for message in left:
        message["ttl_s"] = None if message["never_expires"] else message["ttl_s"]
    return Record(trace["attempts"], trace["requests"], left, gone)


def facts(record: Record, names: Sequence[str], since: float = 0.0) -> dict[str, Any]:
    """The named facts; `since` is the moment that some of them count from, a signal or the end of a fault."""
    return {name: _FACTS[name](record, since) for name in names}


def agrees(expected: Any, actual: Any) -> bool:
    """Equal, but for numbers of which only the span is known: `{"from": 1.0, "to": 2.5}`."""
    if isinstance(expected, Mapping) and expected.keys() == {"from", "to"}:
        return isinstance(actual, int | float) and expected["from"] <= actual <= expected["to"]
    if isinstance(expected, Mapping):
        same = isinstance(actual, Mapping) and expected.keys() == actual.keys()
        return same and all(agrees(expected[key], actual[key]) for key in expected)
    if isinstance(expected, list):
        same = isinstance(actual, list) and len(expected) == len(actual)
        return same and all(agrees(*pair) for pair in zip(expected, actual, strict=True))
    return bool(expected == actual)


def _deliveries(record: Record, _since: float) -> dict[str, list[int]]:
    """Of each body, in hexadecimal, how often it had been delivered when the function ran."""
    found: dict[str, list[int]] = {}
    for attempt in _in_order(record):
        found.setdefault(attempt["seen"]["bytesHex"], []).append(attempt["seen"]["dequeueCount"])
    return found


def _waits(record: Record, _since: float) -> list[float]:
    """Seconds from the end of each attempt to the start of the next."""
    return [_rounded(later["start"] - earlier["finish"]) for earlier, later in pairwise(_in_order(record))]


def _operations(record: Record, _since: float) -> list[str]:
    """What was asked of queues, but for polls, in order."""
    return [_named(request) for request in record.requests if _is_queue(request) and request["op"] not in _POLLS]


def _polls(record: Record, _since: float) -> list[float]:
    """Seconds between the first polls for messages, until one finds something."""
    times = []
    for request in record.requests:
        if request["op"] == "GetMessages":
            times.append(request["t"])
            if request.get("messages"):
                break
    return [_rounded(later - earlier) for earlier, later in pairwise(times)][:_FIRST_POLLS]


def _poll_requests(record: Record, _since: float) -> list[str]:
    """Of polls, those that tell another story than the one before: what was asked, of what, with what success."""
    told = [_named(request) for request in record.requests if request["op"] in _POLLS]
    return [each for position, each in enumerate(told) if position == 0 or told[position - 1] != each]


def _batches(record: Record, _since: float) -> list[list[int]]:
    """Of each poll that found messages, how many were asked for and how many came."""
    return [
        [request["numofmessages"], len(request["messages"])]
        for request in record.requests
        if request["op"] == "GetMessages" and request.get("messages")
    ]


def _most_in_flight(record: Record, _since: float) -> int:
    changes = sorted(
        change for attempt in record.attempts for change in ((attempt["start"], 1), (attempt["finish"], -1))
    )
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


def _left(record: Record, _since: float) -> list[list[Any]]:
    """The messages at the end: queue, text, deliveries, lifetime, and whether another poll would find them."""
    return sorted(
        [each["queue"], each["text"], each["dequeueCount"], each["ttl_s"], each["invisible_for_s"] <= 0]
        for each in record.left
    )


def _hidden_for(record: Record, _since: float) -> list[float]:
    """How long the messages at the end stay hidden."""
    return [_rounded(each["invisible_for_s"]) for each in record.left]


def _started_after(record: Record, since: float) -> list[float]:
    return [_rounded(attempt["start"] - since) for attempt in _in_order(record)]


def _outcomes(record: Record, _since: float) -> list[str]:
    return [attempt["outcome"] for attempt in _in_order(record)]


def _ended_after(record: Record, since: float) -> float:
    """Seconds from the signal to the end of the only host."""
    (end,) = record.ended.values()
    return _rounded(end - since)


def _tries(record: Record, _since: float) -> list[float]:
    """Seconds between the first requests that storage did not carry out."""
    failing = [each["t"] for each in record.requests if _is_queue(each) and not _succeeded(each)]
    return [_rounded(later - earlier) for earlier, later in pairwise(failing)][:_FIRST_TRIES]


def _renewals(record: Record, _since: float) -> list[list[Any]]:
    """When, after a message was received, its hiding was prolonged, for how long and with what success."""
    received = next(each["t"] for each in record.requests if each.get("messages"))
    return [
        [_rounded(each["t"] - received), each["visibilitytimeout"], _succeeded(each)]
        for each in record.requests
        if each["op"] == "UpdateMessage"
    ]


def _runs(record: Record, _since: float) -> list[list[Any]]:
    """Of a timer: host, time of day, whether past due, and the last and next time that the function was told."""
    return [
        [run.get("host"), _second(run["wallStart"]), run["seen"]["isPastDue"]]
        + [_second(run["seen"][name]) for name in ("last", "next")]
        for run in _in_order(record)
    ]


def _told(record: Record, _since: float) -> list[list[Any]]:
    """As `runs`, without the time of day."""
    return [[host, *told] for host, _, *told in _runs(record, _since)]


def _blob_requests(record: Record, _since: float) -> list[str]:
    """What was asked of the timer's blobs, in order."""
    return [_blob_request(each) for each in record.requests if not _is_queue(each)]


def _leases(record: Record, since: float) -> list[list[Any]]:
    """When, from the signal on, which request for the lock had what success."""
    return [
        [_rounded(each["t"] - since), _blob_request(each)]
        for each in record.requests
        if each["op"].startswith("Lease") and each["t"] >= since - 0.001
    ]


def _takeover(record: Record, since: float) -> float:
    """Seconds from the signal to the first run of the other host."""
    return _rounded(min(run["start"] for run in record.attempts if run["host"] == "B") - since)


_FACTS: Mapping[str, Callable[[Record, float], Any]] = {
    "batches": _batches,
    "blobRequests": _blob_requests,
    "deliveries": _deliveries,
    "endedAfter": _ended_after,
    "hiddenFor": _hidden_for,
    "leases": _leases,
    "left": _left,
    "mostInFlight": _most_in_flight,
    "operations": _operations,
    "outcomes": _outcomes,
    "pollRequests": _poll_requests,
    "polls": _polls,
    "renewals": _renewals,
    "runs": _runs,
    "startedAfter": _started_after,
    "takeover": _takeover,
    "told": _told,
    "tries": _tries,
    "waits": _waits,
}


def _in_order(record: Record) -> list[dict[str, Any]]:
    return sorted(record.attempts, key=lambda attempt: float(attempt["start"]))


def _is_queue(request: Mapping[str, Any]) -> bool:
    return str(request["op"]).endswith(("Message", "Messages", "Queue", "QueueMetadata"))


def _succeeded(request: Mapping[str, Any]) -> bool:
    return request["status"] is not None and request["status"] < 300


def _named(request: Mapping[str, Any]) -> str:
    pieces = [request["op"], request["target"]]
    if request["op"] == "UpdateMessage":
        pieces.append(f"{request['visibilitytimeout']} s")
    return " ".join(pieces if _succeeded(request) else [*pieces, str(request["status"])])


def _blob_request(request: Mapping[str, Any]) -> str:
    kind = "status" if "timers/" in request["target"] else "lock" if "locks/" in request["target"] else "container"
    return f"{request['op']} {kind}" + ("" if _succeeded(request) else f" {request['status']}")


def _second(text: str | None) -> str | None:
    """The time of day to the nearest second; None for never."""
    if text is None or text.startswith("0001"):
        return None
    # More digits than microseconds have are .NET's.
    moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return (moment + timedelta(milliseconds=500)).strftime("%H:%M:%S")


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
