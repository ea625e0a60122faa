"""A script of messages, failures, signals and faults, played to the Functions host stand-in under a virtual clock.

What comes out has the form of the traces of the real listeners: `attempts` (runs of functions that ended), `requests`
(what was asked of storage) and `left` (the messages at the end). Times are seconds.
"""

import asyncio
import random
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from local.functions_host.host import Listener
from local.functions_host.host_json import configuration_of
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import InvocationResult
from local.functions_host.queues.trigger import ListenerOptions, QueueListener, poison_queue_name
from local.functions_host.storage.host_queue import HostQueue
from local.functions_host.storage.listener_lock import ListenerLock
from local.functions_host.storage.timer_status import BlobTimerStatus
from local.functions_host.timer_trigger import TimerListener
from tests.kit.host_storage import WEEK, FakeBlobs, FakeQueue, FakeStorage, Fault
from tests.kit.virtual_time import run_virtually

QUEUE_TRIGGERS: Mapping[str, Mapping[str, Any]] = {
    "QString": {},
    "QBytes": {"dataType": "BINARY"},
    "QMessage": {"dataType": "BINARY"},
    "QPoison": {},
}
TIMER_TRIGGERS: Mapping[str, Mapping[str, Any]] = {
    "TimerDefault": {},
    "TimerMonitor": {"useMonitor": True},
    "TimerNoMonitor": {"useMonitor": False},
    "TimerStartup": {"runOnStartup": True},
}


@dataclass
class Record:
    """What happened."""

    attempts: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    left: list[dict[str, Any]] = field(default_factory=list)
    ended: dict[str, float] = field(default_factory=dict)
    """When which host had ended after a SIGTERM."""


_tasks_of_host: ContextVar[list[asyncio.Task[Any]] | None] = ContextVar("tasks_of_host", default=None)


class _HostBlobs(FakeBlobs):
    """A host that was killed releases nothing."""

    killed = False

    async def release_lease(self, blob: str, lease_id: str) -> None:
        if not self.killed:
            await super().release_lease(blob, lease_id)


class _Host:
    """One process of the stand-in, with functions that behave as the script says."""

    def __init__(self, scenario: Mapping[str, Any], host: Mapping[str, Any], storage: FakeStorage, record: Record):
        self.name = str(host["name"])
        self.stopping = asyncio.Event()
        self._behaviour = scenario.get("behaviour", {})
        self._storage = storage
        self._record = record
        self._runs: dict[str, int] = {}
        self._added: dict[str, asyncio.Event] = {}
        self._uniform = random.Random(scenario.get("seed")).uniform
        with patch.dict("os.environ", host.get("environment", {})):
            self._configuration = configuration_of(host.get("hostJson", {}), Path("host.json"))
        self._options = ListenerOptions(older_extension=bool(host.get("olderExtension")), uniform=self._uniform)
        self._blobs = _HostBlobs(storage)
        self._listeners = [self._listener(name, scenario) for name in scenario["functions"]]
        self._tasks: list[asyncio.Task[Any]] = []

    async def run(self) -> None:
        _tasks_of_host.set(self._tasks)
        await asyncio.gather(*(listener.start() for listener in self._listeners))
        await asyncio.gather(*(listener.run(self.stopping) for listener in self._listeners))
        self._record.ended[self.name] = asyncio.get_running_loop().time()
        self.kill()

    def kill(self) -> None:
        """The process is gone, with all that it was about to do."""
        self._blobs.killed = True
        for task in self._tasks:
            task.cancel()

    async def invoke(self, function: IndexedFunction, trigger_value: Any) -> InvocationResult:
        loop, is_timer = asyncio.get_running_loop(), function.trigger["type"] == "timerTrigger"
        key = function.name if is_timer else trigger_value.id
        self._runs[key] = self._runs.get(key, 0) + 1
        run: dict[str, Any] = {"function": function.name, "key": key, "host": self.name, "start": loop.time()}
        run["wallStart"] = self._storage.now().isoformat()
        # As real: runs get longer by steps, message by message.
        step = self._behaviour.get("stepMs", 0) * ((len(self._runs) - 1) % self._behaviour.get("stepCount", 1))
        await asyncio.sleep((self._behaviour.get("sleepMs", 0) + step) / 1000)
        fail_first = self._behaviour.get("failFirst", 0)
        succeeded = 0 <= fail_first < self._runs[key]
        run |= {"finish": loop.time(), "outcome": "succeeded" if succeeded else "failed"}
        run["seen"] = _seen_by_timer(trigger_value) if is_timer else _seen_by_queue(trigger_value)
        self._record.attempts.append(run)
        return InvocationResult(succeeded)

    def _listener(self, name: str, scenario: Mapping[str, Any]) -> Listener:
        if name in TIMER_TRIGGERS:
            trigger = {"type": "timerTrigger", "schedule": scenario["schedule"], **TIMER_TRIGGERS[name]}
            singleton, blobs = self._configuration.singleton, self._blobs
            return TimerListener(
                _function(name, trigger),
                self,
                ListenerLock(blobs, f"locks/{name}", int(singleton.listener_lock_period), self._uniform),
                BlobTimerStatus(blobs, f"timers/{name}", self._uniform),
                singleton.listener_lock_recovery_polling_interval,
                self._storage.now,
            )
        trigger = {"type": "queueTrigger", **QUEUE_TRIGGERS[name]}
        queue = scenario["queue"] + ("-poison" if name == "QPoison" else "")
        poison = poison_queue_name(queue)
        return QueueListener(
            _function(name, trigger),
            self,
            self._queue(queue),
            None if poison is None else self._queue(poison),
            self._configuration.queues,
            self._options,
        )

    def _queue(self, name: str) -> HostQueue:
        added = self._added.setdefault(name, asyncio.Event())
        return HostQueue(FakeQueue(self._storage, name), self._configuration.queues.encoding, added, self._uniform)


def replay(scenario: Mapping[str, Any], *, seed: int) -> Record:
    """Play a scenario (`tests/fixtures/queue-listener`), with the random part of waits made of `seed`."""
    return run_virtually(lambda: _Stage({**scenario, "seed": seed}).play())


class _Stage:
    """One storage account, and the hosts that the script starts on it."""

    def __init__(self, scenario: Mapping[str, Any]) -> None:
        self._scenario = scenario
        faults = [Fault(**fault) for fault in scenario.get("faults", ())]
        self._storage = FakeStorage(faults, has_container=bool(scenario.get("hasContainer")))
        if "wall" in scenario:
            self._storage.epoch = datetime.fromisoformat(scenario["wall"])
        self._record = Record(requests=self._storage.requests)
        self._hosts: dict[str, _Host] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def play(self) -> Record:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(_remember_task)
        for step in self._scenario["script"]:
            await asyncio.sleep(step["at"] - loop.time())
            self._do(step)
        self._record.left = [
            {
                "queue": queue,
                "text": message.text,
                "dequeueCount": message.dequeue_count,
                "ttl_s": message.lifetime,
                "invisible_for_s": message.visible - loop.time(),
            }
            for queue, messages in self._storage.queues.items()
            for message in messages
        ]
        for host in self._hosts.values():
            host.kill()
        return self._record

    def _do(self, step: Mapping[str, Any]) -> None:
        match step:
            case {"start": name}:
                self._start(name)
            case {"create": queue}:
                self._storage.queues.setdefault(queue, [])
            case {"delete": queue}:
                del self._storage.queues[queue]
            case {"put": text, "queue": queue}:
                for _ in range(step.get("times", 1)):
                    self._storage.put(queue, text, step.get("lifetime", WEEK), step.get("dequeueCount", 0))
            case {"signal": "SIGTERM", "host": name}:
                self._hosts[name].stopping.set()
            case {"signal": "SIGKILL", "host": name}:
                self._hosts[name].kill()
            case {"end": True}:
                pass
            case _:
                raise ValueError(f"no such step: {step}")

    def _start(self, name: str) -> None:
        described = next(host for host in self._scenario["hosts"] if host["name"] == name)
        self._hosts[name] = _Host(self._scenario, described, self._storage, self._record)
        self._running.add(asyncio.create_task(self._hosts[name].run()))


def _remember_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    tasks = _tasks_of_host.get()
    if tasks is not None:
        tasks.append(task)
    return task


def _function(name: str, trigger: dict[str, Any]) -> IndexedFunction:
    return IndexedFunction(name, Path(), lambda: None, trigger, (), takes_context=False)


def _seen_by_queue(message: Any) -> dict[str, Any]:
    return {"dequeueCount": message.dequeue_count, "bytesHex": message.get_body().hex().upper()}


def _seen_by_timer(timer: Any) -> dict[str, Any]:
    status = timer.schedule_status
    return {"isPastDue": timer.past_due, "last": status.get("Last"), "next": status.get("Next")}
