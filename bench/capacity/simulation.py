"""One function app with its queue, message by message: how long a change waits, and what it waits for.

Upstream puts messages at random times. Instances take them as the Functions host does (host.json), each with one core,
and make their requests; accounts, queue and throughput units take what their published limits let through, and the rest
waits its turn. Azure would refuse and be asked again, which takes longer still: where a limit is reached, the truth is
worse than this. How long Azure takes for one request is assumed, not measured (`READ` and so on).
"""

import math
import random
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from itertools import count
from statistics import NormalDist
from typing import Any

import simpy

from bench.capacity.limits import (
    ACCOUNT_REQUESTS,
    INSTANCES_AT_A_TIME,
    QUEUE_MESSAGES,
    SECONDS_BETWEEN_SCALING,
    UNIT_BYTES,
    UNIT_EVENTS,
)
from bench.capacity.measured import Measured
from bench.capacity.plan import Plan
from bench.harness.figures import percentile

READ, WRITE, SEND = 0.006, 0.010, 0.015
"""Median seconds of a request to a table and of a send to a hub; one in a hundred takes four times as long."""
BATCH_SIZE, NEW_BATCH_THRESHOLD = 16, 32
"""Of host.json: how many messages a host takes at once, and how many it may still be at work on when it does."""
IN_HAND = BATCH_SIZE + NEW_BATCH_THRESHOLD
"""The most that an instance has in hand, and what scaling reckons an instance for. It counts as the queue does: what is
in hand, too."""
COLD_START = 10.0
_NORMAL = NormalDist()
_SPREAD = math.log(4) / _NORMAL.inv_cdf(0.99)


@dataclass(frozen=True, kw_only=True)
class App:
    """`rate` in changes a second. Limits are the app's share of what several apps have in common."""

    rate: float
    changes_a_message: int
    instances: int
    busy_seconds: float
    profile_requests: float
    shared_requests: float
    queue_requests: float
    events: float
    profile_limit: float
    shared_limit: float
    queue_account_limit: float
    queue_limit: float
    event_limit: float

    @classmethod
    def of(cls, plan: Plan, measured: Measured) -> "App":
        """One of the apps of `plan`; they are alike."""
        operations = measured.operations[plan.changes_a_message]
        per_app = 1 / plan.queues
        units = plan.throughput_units * per_app
        event_bytes = operations["eventBytes"] / operations["events"]
        in_one = plan.accounts == 1
        profile_requests = operations["profileRequests"]
        elsewhere = profile_requests + operations["queueRequests"]
        return cls(
            rate=plan.rate * per_app,
            changes_a_message=plan.changes_a_message,
            instances=math.ceil(plan.instances * per_app),
            busy_seconds=measured.busy_seconds,
            profile_requests=0 if in_one else profile_requests,
            shared_requests=operations["tableRequests"] - profile_requests + (elsewhere if in_one else 0),
            queue_requests=0 if in_one else operations["queueRequests"],
            events=operations["events"],
            profile_limit=ACCOUNT_REQUESTS * max(plan.profile_accounts, 1) * per_app,
            shared_limit=ACCOUNT_REQUESTS * plan.cells * per_app,
            queue_account_limit=ACCOUNT_REQUESTS * max(plan.queue_accounts, 1) * per_app,
            queue_limit=QUEUE_MESSAGES,
            event_limit=units * min(UNIT_EVENTS, UNIT_BYTES / event_bytes),
        )


@dataclass
class Simulated:
    """`seconds` from the queue to the hub, of each message put after the warm-up; of those not done, until the end.

    `waiting`: messages on the queue at the end. `used`: how far each limit was used, as a share.
    """

    seconds: list[float]
    waiting: int
    used: dict[str, float] = field(default_factory=dict)

    def percentile(self, share: float) -> float:
        return percentile(sorted(self.seconds), share)

    @property
    def bottleneck(self) -> str:
        return max(self.used, key=lambda name: self.used[name])


def simulate(
    app: App, seconds: float = 60, *, warm_up: float = 10, start: int | None = None, seed: int = 1
) -> Simulated:
    """Run `app` for `seconds` after the warm-up, with all its instances, or scaled from `start` of them on."""
    return _Run(app, seed, warm_up).run(warm_up + seconds, start)


def at_share(app: App, share: float) -> App:
    """The same app with `share` of its rate."""
    return replace(app, rate=app.rate * share)


class _Limit:
    """Lets through so many a second, the others in their order."""

    def __init__(self, environment: simpy.Environment, rate: float) -> None:
        self._environment = environment
        self._rate = rate
        self._free_at = 0.0
        self.taken = 0.0

    def take(self, count: float) -> simpy.Timeout:
        now = self._environment.now
        self._free_at = max(now, self._free_at) + count / self._rate
        self.taken += count
        return self._environment.timeout(self._free_at - now)

    def used(self, seconds: float) -> float:
        return self.taken / (self._rate * seconds)


class _Run:
    def __init__(self, app: App, seed: int, warm_up: float) -> None:
        self._app = app
        self._chance = random.Random(seed)
        self._warm_up = warm_up
        self._environment = simpy.Environment()
        self._queue = simpy.Store(self._environment)
        self._limits = {
            "queue": _Limit(self._environment, app.queue_limit),
            "queues' accounts": _Limit(self._environment, app.queue_account_limit),
            "profiles' accounts": _Limit(self._environment, app.profile_limit),
            "account": _Limit(self._environment, app.shared_limit),
            "throughput units": _Limit(self._environment, app.event_limit),
        }
        self._put_at: dict[int, float] = {}
        self._seconds: list[float] = []
        self._instances = 0
        self._busy = 0.0
        self._instance_seconds = 0.0

    def run(self, until: float, start: int | None) -> Simulated:
        self._until = until
        environment = self._environment
        for _ in range(self._app.instances if start is None else start):
            self._begin_instance()
        environment.process(self._upstream())
        if start is not None:
            environment.process(self._scale())
        environment.run(until)
        used = {name: limit.used(until) for name, limit in self._limits.items()}
        used["instances"] = self._busy / self._instance_seconds
        # Whatever is not done yet has waited that long already.
        unfinished = [environment.now - put_at for put_at in self._put_at.values() if put_at >= self._warm_up]
        return Simulated(self._seconds + unfinished, len(self._queue.items), used)

    def _upstream(self) -> Generator[Any, Any, None]:
        a_second = self._app.rate / self._app.changes_a_message
        for message in count():
            yield self._environment.timeout(self._chance.expovariate(a_second))
            self._put_at[message] = self._environment.now
            self._queue.put(message)

    def _scale(self) -> Generator[Any, Any, None]:
        while True:
            yield self._environment.timeout(SECONDS_BETWEEN_SCALING)
            wanted = min(math.ceil(len(self._put_at) / IN_HAND), self._app.instances)
            more = min(wanted - self._instances, INSTANCES_AT_A_TIME)
            if more > 0:
                self._environment.process(self._begin_instances(more))

    def _begin_instances(self, count: int) -> Generator[Any, Any, None]:
        yield self._environment.timeout(COLD_START)
        for _ in range(count):
            self._begin_instance()

    def _begin_instance(self) -> None:
        self._instances += 1
        self._instance_seconds += self._until - self._environment.now
        self._environment.process(self._host(simpy.Resource(self._environment)))

    def _host(self, core: simpy.Resource) -> Generator[Any, Any, None]:
        at_work: set[simpy.Process] = set()
        while True:
            taken = [(yield self._queue.get())]
            while self._queue.items and len(taken) < BATCH_SIZE:
                taken.append((yield self._queue.get()))
            at_work |= {self._environment.process(self._export(message, core)) for message in taken}
            yield self._environment.timeout(READ)
            at_work = {each for each in at_work if each.is_alive}
            while len(at_work) > NEW_BATCH_THRESHOLD:
                yield self._environment.any_of(at_work)
                at_work = {each for each in at_work if each.is_alive}

    def _export(self, message: int, core: simpy.Resource) -> Generator[Any, Any, None]:
        app, limits, changes = self._app, self._limits, self._app.changes_a_message
        yield limits["queue"].take(1)
        yield limits["queues' accounts"].take(changes * app.queue_requests)
        with core.request() as turn:
            yield turn
            yield self._environment.timeout(changes * app.busy_seconds)
            self._busy += changes * app.busy_seconds
        yield limits["profiles' accounts"].take(changes * app.profile_requests)
        yield limits["account"].take(changes * app.shared_requests)
        yield self._environment.timeout(self._slowest(READ, changes) + self._slowest(WRITE, changes))
        yield limits["throughput units"].take(changes * app.events)
        yield self._environment.timeout(self._slowest(SEND, 1))
        put_at = self._put_at.pop(message)
        if put_at >= self._warm_up:
            self._seconds.append(self._environment.now - put_at)

    def _slowest(self, middle: float, requests: int) -> float:
        """Of `requests` at a time."""
        place = min(max(self._chance.random() ** (1 / requests), 1e-9), 1 - 1e-9)
        return middle * math.exp(_SPREAD * _NORMAL.inv_cdf(place))
