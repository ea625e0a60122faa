"""What goes wrong while the load is sent: when it began, when it ended, and whom it met."""

import asyncio
import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from local.broker.control import Fault
from local.stack.functions_host import FunctionsHost
from local.stack.local_stack import LocalStack
from local.storage_faults.rules import ErrorStatus, FaultKind, StorageFault
from tests.faults.load.configuration import PARTITIONS
from tests.faults.load.outage_writes import OutageWrites
from tests.faults.load.progress import Progress

OUTAGE_SECONDS = 60.0
_REPLIES_LOST_EVERY = 1.0
_PATIENCE_SECONDS = 3.0
_STORAGE_ERRORS: tuple[tuple[FaultKind, ErrorStatus | None, float], ...] = (
    ("status", 503, 0.03),
    ("status", 429, 0.02),
    ("status-after", 500, 0.02),
    ("cut", None, 0.02),
    ("cut-after", None, 0.02),
    ("delay", None, 0.05),
    ("stall", None, 0.001),
)


@dataclass
class Disturbance:
    """Times are seconds since the epoch; `destination` None means all of them."""

    began: float
    destination: str | None = None
    ended: float = math.inf


@dataclass
class Disturbances:
    """Breaks parts of `stack`. Each of its coroutines runs beside the sending and ends once all is sent."""

    stack: LocalStack
    progress: Progress
    rng: random.Random
    kills: int
    writes: OutageWrites
    seen: list[Disturbance] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    """What was to be broken, and could not be."""
    _broker_faults: dict[str, tuple[Fault, ...]] = field(default_factory=dict)

    async def kill_hosts(self) -> None:
        """SIGKILL, again and again, for a host that has messages in its hands, and a new start."""
        for number in range(self.kills):
            self.progress.hold("kills", (number + 1) / self.kills)
            await self.progress.reached((number + self.rng.random()) / self.kills)
            await self.kill(await self._busy_host(warm=number % 3 > 0))
        self.progress.release("kills")

    async def kill(self, host: FunctionsHost) -> None:
        """SIGKILL, and a new start."""
        with self._disturbed():
            await asyncio.to_thread(host.kill)
            await asyncio.to_thread(host.start)

    async def _busy_host(self, *, warm: bool) -> FunctionsHost:
        """The first host seen to handle messages; if `warm`, one that has finished some. Any, when there is no work."""
        hosts = list(self.stack.functions_hosts)
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            self.rng.shuffle(hosts)
            for host in hosts:
                running, succeeded = await asyncio.to_thread(_invocations, host)
                if running and (succeeded or not warm):
                    return host
            await asyncio.sleep(self.rng.uniform(0.0, 0.02))  # to meet a message in other moments of its life
        return hosts[0]

    async def broker_outage(self) -> None:
        """Event Hubs closes all connections and takes none for a minute; the last quarter is sent after that."""
        await self.progress.reached(0.25)
        self.progress.hold("outage", 0.75)
        with self._disturbed():
            self._arm("outage", Fault(kind="refuse-connection"))
            async with self.writes.counted():
                await asyncio.sleep(OUTAGE_SECONDS)
            self._arm("outage")
        self.progress.release("outage")

    async def throttle(self) -> None:
        """Event Hubs is busy in one of two seconds, for want of throughput units; the last quarter comes after."""
        await self.progress.reached(0.25)
        self.progress.hold("throttled", 0.75)
        with self._disturbed():
            async with self.writes.counted():
                for _ in range(int(OUTAGE_SECONDS / 2)):
                    self._arm("throttled", Fault(kind="throttle"))
                    await asyncio.sleep(1.0)
                    self._arm("throttled")
                    await asyncio.sleep(1.0)
        self.progress.release("throttled")

    async def lose_replies(self) -> None:
        """Events are stored and the sender never learns of it: every second somewhere, in one of four ways."""
        with self._disturbed():
            while self.progress.share < 1.0:
                self._arm("replies", *self._lost_replies())
                await asyncio.sleep(_REPLIES_LOST_EVERY)
            self._arm("replies")

    def _lost_replies(self) -> Iterator[Fault]:
        hubs = sorted(self.stack.broker.hubs())
        for kind in ("detach-after-store", "drop-after-store", "throttle", "stall-after-store"):
            # One alone would often be mended by the SDK's own second attempt, so that the app never sees it.
            yield Fault(
                kind=kind,
                hub=self.rng.choice(hubs),
                partition=str(self.rng.randrange(PARTITIONS)),
                after=self.rng.randrange(5),
                # One alone would often be mended by the SDK's own second attempt, and the app never see it.
                count=self.rng.choice((1, 2, 3)),
            )

    async def storage_errors(self) -> None:
        """A share of the requests to storage is refused, cut off, answered late or never, some after being done."""
        with self._disturbed():
            self.stack.storage_faults.set_faults(*self._storage_errors())
            await self.progress.reached(1.0)
            self.stack.storage_faults.clear_faults()

    def _storage_errors(self) -> Iterator[StorageFault]:
        for kind, status, probability in _STORAGE_ERRORS:
            delay_ms = 400 if kind == "delay" else None
            seed = self.rng.randrange(2**32)
            yield StorageFault(kind=kind, status=status, probability=probability, delay_ms=delay_ms, seed=seed)

    def refuse(self, destination: str) -> None:
        """No token for the hub of `destination`, from now to the end."""
        self.seen.append(Disturbance(time.time(), destination))
        self._arm("refused", Fault(kind="auth-failure", hub=destination))

    def end(self) -> None:
        """Take back all that is still armed."""
        self._broker_faults.clear()
        self.stack.broker.clear_faults()

    def _arm(self, name: str, *faults: Fault) -> None:
        """Put `faults` in the place of those armed as `name` before; those of other names stay."""
        self._broker_faults[name] = faults
        self.stack.broker.set_faults(*(fault for armed in self._broker_faults.values() for fault in armed))

    @contextmanager
    def _disturbed(self, destination: str | None = None) -> Iterator[None]:
        disturbance = Disturbance(time.time(), destination)
        self.seen.append(disturbance)
        try:
            yield
        finally:
            disturbance.ended = time.time()


def _invocations(host: FunctionsHost) -> tuple[int, int]:
    """How many run in `host` now, and how many succeeded since it started."""
    functions = host.invocations().values()
    return sum(each.running for each in functions), sum(each.succeeded for each in functions)
