"""A whole deployment over fakes: queues that deliver again, workers that die at any call, and what must then hold.

Two workers live side by side, each with what it remembers; one of them is at work at a time.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

from shared.domain.configuration.model import Configuration, parse_configuration_file
from shared.domain.configuration.targets import Targets
from shared.domain.exports.consent import consents
from shared.domain.exports.export import Export, export_of
from shared.domain.messages.pointers import RetryPointer, SlicePointer
from shared.domain.messages.queue_kind import QueueKind
from shared.domain.profile.audience_transitions import AudienceTransition, TransitionKind
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import profile_key
from shared.errors import StorageError
from shared.services.changes.export import InboundMessage
from shared.services.configuration.apply import apply_configuration
from shared.services.wiring import Services
from shared.services.worker_ports import Ports
from tests.kit.builders import NOW, configuration
from tests.kit.world import DOCUMENT, World

_NO_PLACE_TO_DIE = {
    *("clock", "sleep", "new_id", "runs", "last_exports", "metrics", "tracing"),
    *("queues", "queue_names", "failed_messages", "sign_in_failing_since"),
}
"""Counting is none because nothing hangs on it: what it costs to die there is said in `record_runs`. The last exports
are saved with the counts, at a time that no test chooses. `queues` only looks at them."""
PORTS = tuple(field.name for field in fields(Ports) if field.name not in _NO_PLACE_TO_DIE)


class Crash(BaseException):
    """The worker dies here."""


class CrashPlan:
    """Counts the calls of every adapter and lets the worker die before or after the one that `at` numbers.

    Each call counts twice: before it is made, and after it was made but before the worker hears of it. With
    StorageError as `failure` the worker lives on, and the call fails: not made, or with its answer lost.
    """

    def __init__(self) -> None:
        self.passed = 0
        self.at: int | None = None
        self.failure: type[Crash | StorageError] = Crash
        self.crashed = 0

    def step(self) -> None:
        self.passed += 1
        if self.at is not None and self.passed >= self.at:
            self.at = None
            self.crashed += 1
            raise self.failure("no answer")

    def wrap(self, adapter: Any, life: "Life | None" = None) -> Any:
        """`adapter`, whose every method is a place to die at: those of the ports, and whatever is added to them."""
        return _Mortal(adapter, self, life or Life())


class Life:
    """Of one worker; when it ends, so does all that the worker does at once."""

    def __init__(self) -> None:
        self.over = False


class _Mortal:
    def __init__(self, adapter: Any, plan: CrashPlan, life: Life) -> None:
        self._adapter = adapter
        self._plan = plan
        self._life = life

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._adapter, name)
        if not callable(method) or name == "flush":  # which only says that nothing follows
            return method
        if inspect.iscoroutinefunction(method):
            return self._asynchronous(method)
        return self._synchronous(method)

    def _step(self) -> None:
        if self._life.over:
            raise Crash
        try:
            self._plan.step()
        except Crash:
            self._life.over = True
            raise

    def _asynchronous(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*arguments: Any, **options: Any) -> Any:
            self._step()
            result = await method(*arguments, **options)
            self._step()
            return result

        return call

    def _synchronous(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if self._plan.failure is not Crash:  # it asks nobody, so there is nothing to fail
                return method(*arguments, **options)
            self._step()
            result = method(*arguments, **options)
            self._step()
            return result

        return call


class Simulation:
    """`queue` holds the messages that no worker has finished with, by id; `handled` those that one has.

    `in_slices`: whether redrives go in slices, however little there is.
    """

    def __init__(self, *, in_slices: bool = False) -> None:
        self._in_slices = in_slices
        self.world = World()
        self.plan = CrashPlan()
        self.queue: dict[str, bytes] = {}
        self.handled: dict[str, bytes] = {}
        self.backfilled: set[tuple[str, str]] = set()
        """(destination, profile) pairs that a backfill must export, besides what changes call for."""
        self.allowed: set[tuple[str, str]] = set()
        """Pairs that a backfill may export."""
        self._targets: dict[tuple[str, int], Targets] = {}
        self._remember(configuration(DOCUMENT))
        self._sent = 0
        self._workers = [self._new_worker() for _ in range(2)]
        self._at_work = 0

    def _new_worker(self) -> Services:
        life = Life()
        worker = self.world.new_worker(**{port: self.plan.wrap(getattr(self.world, port), life) for port in PORTS})
        if self._in_slices:
            worker.watch_destinations.alone_for_rows = worker.watch_destinations.alone_for = 0
        return worker

    @property
    def worker(self) -> Services:
        """The one that is at work."""
        return self._workers[self._at_work]

    def hand_over(self) -> None:
        """Let the other worker go on, with what it remembers from when it was at work last."""
        self._at_work = 1 - self._at_work

    def restart(self) -> None:
        """A new worker process in the place of the one at work, which remembers nothing."""
        self._workers[self._at_work] = self._new_worker()

    def _remember(self, current: Configuration) -> None:
        """For checking bodies: what each destination's exports of a revision are made from."""
        targets = Targets.of(current)
        self._targets |= {(target.id, target.revision): targets for target in targets.by_id.values()}

    async def apply(self, document: dict[str, Any]) -> None:
        """What a person does: nobody dies in it but by the test's own choice of moments to call it."""
        wanted = parse_configuration_file(DOCUMENT | document)
        plan = await apply_configuration(self.world.configuration, self.world.health, wanted, self.world.clock)
        self._remember(plan.configuration)

    def enqueue(self, *items: dict[str, Any]) -> None:
        self._put(json.dumps(items).encode())

    def _put(self, body: bytes) -> None:
        self._sent += 1
        self.queue[f"m{self._sent}"] = body

    async def survive(self, work: Callable[[], Any]) -> bool:
        """Whether `work` came to its end; where the worker died in it, a new one is there.

        Nobody was told of a profile as it was before all this: whatever is sent was saved by it, or is stored.
        """
        stored, sent = self._stored_versions(), len(self.world.sender.sent)
        try:
            await work()
        except Crash:
            self.restart()
            return False
        except StorageError:
            return False
        finally:
            for export in self.world.sender.sent[sent:]:
                assert export.version >= stored.get(profile_key(export.profile_id), 0), "told of an outdated state"
        return True

    def _stored_versions(self) -> dict[str, int]:
        return {key: json.loads(document)["version"] for key, (document, _) in self.world.profiles.rows.items()}

    async def deliver(self, message_id: str) -> None:
        """One delivery; the message stays on the queue if the worker dies."""
        message = InboundMessage(message_id, self.queue[message_id], NOW)
        if await self.survive(lambda: self.worker.export_changes.handle(message)):
            self.handled[message_id] = self.queue.pop(message_id)

    def bring_again(self, message_id: str) -> None:
        """A message that was handled, under its own id: the host could not delete it in time."""
        self.queue[message_id] = self.handled[message_id]

    async def deliver_all(self) -> None:
        while self.queue:
            await self.deliver(next(iter(self.queue)))

    async def retry_all(self) -> None:
        """Every pointer that waits now, after its delay; one whose worker dies comes again."""
        for pointer, delay in list(self.world.retries.waiting):
            await self.world.clock.sleep(delay)
            if await self.survive(partial(self._retry, pointer)):
                self.world.retries.waiting.remove((pointer, delay))

    async def _retry(self, pointer: RetryPointer) -> None:
        await self.worker.retry_export.handle(pointer)

    async def watch(self, after_seconds: float = 30) -> None:
        await self.world.clock.sleep(after_seconds)
        await self.survive(self.worker.watch_destinations.run)

    async def backfill(self, after_seconds: float = 60) -> None:
        """A run of the timer, and every slice on the queue to its end; one whose worker dies comes again."""
        await self.world.clock.sleep(after_seconds)
        await self.survive(self.worker.plan_backfills.run)
        while self.world.slices.waiting:
            pointer = self.world.slices.waiting[0]
            if await self.survive(partial(self._work, pointer)):
                self.world.slices.waiting.remove(pointer)

    async def _work(self, pointer: SlicePointer) -> None:
        await self.worker.work_slices.work(pointer)

    async def sweep(self) -> None:
        """What the daily timer does, and what follows."""
        await self.survive(self.worker.plan_backfills.sweep)
        for _ in range(2):
            await self.backfill()

    def give_up(self) -> None:
        """Everything on the queues has failed at every delivery, so the host puts it on their `-poison` queues."""
        for body in self.queue.values():
            self.world.poison_queues.put(QueueKind.CHANGES, body)
        for pointer, _ in self.world.retries.waiting:
            self.world.poison_queues.put(QueueKind.RETRIES, repr(pointer).encode(), pointer)
        for part in self.world.slices.waiting:
            self.world.poison_queues.put(QueueKind.SLICES, repr(part).encode(), part)
        self.queue.clear()
        self.world.retries.waiting.clear()
        self.world.slices.waiting.clear()

    async def drain(self, after_seconds: float = 120) -> None:
        """A run of the timer, and what it put back is on the queues."""
        await self.world.clock.sleep(after_seconds)
        self.world.poison_queues.show_again()
        await self.survive(self.worker.drain_poison_queues.run)
        back, self.world.poison_queues.back = self.world.poison_queues.back, []
        for _, body, pointer in back:
            if isinstance(pointer, RetryPointer):
                self.world.retries.waiting.append((pointer, 0))
            elif isinstance(pointer, SlicePointer):
                self.world.slices.waiting.append(pointer)
            else:
                self._put(body)

    async def settle(self) -> None:
        """Mend everything and let the queues, the timers and a person do their work until nothing is left to do."""
        self.world.sender.failures.clear()
        for _ in range(40):
            await self.deliver_all()
            await self.retry_all()
            await self.watch()
            await self.backfill()
            if self._poisoned:
                await self.drain()
            for destination_id in {
                row.destination_id for row, _ in self.world.undelivered.rows.values() if row.permanent
            }:
                await self.worker.watch_destinations.redrive(destination_id)
            if not (
                self.queue
                or self.world.retries.waiting
                or self._poisoned
                or self.world.undelivered.rows
                or self.world.health.troubles
                or self.world.health.redrives
                or self._unfinished_backfills()
            ):
                return
        raise AssertionError(
            f"never settled: {self.world.rows}, {self.world.health.troubles}, {self.world.retries.waiting}, "
            f"{self._unfinished_backfills()}"
        )

    @property
    def _poisoned(self) -> bool:
        return bool(self.world.poison_queues.waiting or self.world.poison_queues.taken)

    def _unfinished_backfills(self) -> list[str]:
        requested = Configuration.model_validate_json(self.world.configuration.document).requested_backfills
        running = (stored.backfill for stored in self.world.backfills.rows.values() if not stored.backfill.finished)
        return [*(each.id for each in requested), *(each.id for each in running)]

    def check(self) -> None:
        """Nothing lost, nothing unexpected, one body for each version: what was saved as due was exported."""
        due: dict[tuple[str, str], int] = {}
        for saved in self.world.profiles.saves:
            for entry in saved.due.values():
                for destination_id in entry.reasons:
                    key = (destination_id, saved.profile_id)
                    due[key] = max(due.get(key, 0), entry.version)
        latest: dict[tuple[str, str], int] = {}
        bodies: dict[tuple[str, str, int, int], bytes] = {}
        for export in self.world.sender.sent:
            key = (export.destination.id, export.profile_id)
            assert key in due or key in self.backfilled | self.allowed, f"unexpected: {key}"
            latest[key] = max(latest.get(key, 0), export.version)
            version = (*key, export.version, export.config_revision)
            assert bodies.setdefault(version, export.body) == export.body, f"two bodies: {version}"
        lost = {key for key, version in due.items() if latest.get(key, 0) < version} | (self.backfilled - latest.keys())
        assert not lost, f"lost: {lost}"
        self._check_bodies(bodies)
        self._check_transitions()

    def _check_transitions(self) -> None:
        """Each that called for an export was told, under one id; none was made up.

        But for entries of who does not consent (any more), and what a deletion ended: whatever the state shows of that.
        """
        called_for: dict[str, tuple[str, AudienceTransition]] = {}
        ended: set[str] = set()
        for saved in self.world.profiles.saves:
            for entry in saved.due.values():
                for destination_id, transitions in entry.transitions.items():
                    for each in transitions:
                        called_for[each.id_for(destination_id, saved.profile_id)] = destination_id, each
            for audience in saved.leftovers:
                left = AudienceTransition(0, saved.memberships[audience].time, TransitionKind.EXPIRED, *audience)
                ended |= {left.id_for(destination_id, saved.profile_id) for destination_id in "de"}
        told: set[str] = set()
        for export in self.world.sender.sent:
            assert list(export.transitions) == sorted(export.transitions)
            ids = [each.id_for(export.destination.id, export.profile_id) for each in export.transitions]
            assert len(set(ids)) == len(ids)
            told.update(ids)
        assert told <= called_for.keys() | ended, "told of what never was"
        asking = {
            target.id for targets in self._targets.values() for target in targets.by_id.values() if target.consent
        }
        untold = {
            identity: (destination_id, each)
            for identity, (destination_id, each) in called_for.items()
            if identity not in told and not (each.entered and destination_id in asking)
        }
        assert not untold, f"never told: {untold}"

    def _check_bodies(self, bodies: dict[tuple[str, str, int, int], bytes]) -> None:
        saved: dict[tuple[str, int], ProfileState] = {}
        for state in self.world.profiles.saves:
            saved.setdefault((state.profile_id, state.version), state)
        for (destination_id, profile_id, version, revision), body in bodies.items():
            if (shown := saved.get((profile_id, version))) is not None:
                targets = self._targets[destination_id, revision]
                expected = export_of(shown, targets.by_id[destination_id], targets.catalog, ["audience"], NOW)
                assert body == expected.body

    async def check_consumers(self) -> None:
        """What each consumer takes for current, the greatest version, is what the profile is by now.

        For who is in a mapped audience, and consents where that is asked for: attributes, identities and the
        memberships that hold. For all others: that they are in none.
        """
        targets = Targets.of((await self.world.configuration.load()).configuration)
        current: dict[tuple[str, str], Export] = {}
        for export in self.world.sender.sent:
            key = (export.destination.id, export.profile_id)
            if key not in current or _order(export) > _order(current[key]):
                current[key] = export
        states = {state.profile_id: state for state in self.stored()}
        for target in targets.by_id.values():
            for profile_id, state in states.items():
                told = current.get((target.id, profile_id))
                realized = [audience for audience, each in state.memberships.items() if each.realized]
                if consents(state, target) and any(audience in target.mapped for audience in realized):
                    assert told is not None, f"{target.id} never heard of {profile_id}"
                    expected = export_of(state, target, targets.catalog, ["audience"], NOW)
                    assert _holding(told.body) == _holding(expected.body), (target.id, profile_id)
                elif told is not None:
                    assert not _holding(told.body)["segmentMembership"], (target.id, profile_id)
        for (destination_id, profile_id), told in current.items():
            if profile_id not in states:
                assert not _holding(told.body)["segmentMembership"], (destination_id, profile_id)

    def stored(self) -> list[ProfileState]:
        """Every profile as it is now."""
        return [ProfileState.from_document(json.loads(row)) for row, _ in self.world.profiles.rows.values()]

    def check_forgotten(self, profile_id: str) -> None:
        """Nothing but a tombstone is left of the profile."""
        key = profile_key(profile_id)
        document, _ = self.world.profiles.rows[key]
        assert json.loads(document).keys() == {"version", "deletion"}
        assert key not in {row_key for _, row_key in self.world.members.rows}
        assert profile_id not in {owner for _, owner in self.world.rows}
        assert profile_id not in {item.profile_id for item in self.world.quarantine.items.values()}


def _order(export: Export) -> tuple[int, int]:
    return export.version, export.config_revision


def _holding(body: bytes) -> dict[str, Any]:
    """A body with the audiences that the profile is in; qualifying for one again is nothing to be told of."""
    document: dict[str, Any] = json.loads(body)
    document["segmentMembership"] = {
        (namespace, audience)
        for namespace, audiences in document["segmentMembership"].items()
        for audience, entry in audiences.items()
        if entry["status"] == "realized"
    }
    return document
