"""Changes, duplicates, crashes, broken hubs, retries and the timer in any order: nothing lost, nothing made up.

Two workers take turns at any time, each with what it remembers; messages come again to either.
"""

import asyncio
import json
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.domain.configuration.targets import Targets
from shared.domain.exports.transition import transition
from shared.domain.messages.message import decode_message
from shared.domain.profile_key import profile_key
from shared.errors import (
    ExportTooLargeError,
    NotUndeliveredError,
    ProfileTooLargeError,
    SendError,
    StorageError,
    ThrottledError,
)
from shared.ports.quarantine import QuarantinedItem
from tests.faults.simulation import Crash, Simulation
from tests.kit.builders import ids, item, membership

PROFILES = st.sampled_from(["p", "q"])
DESTINATIONS = st.sampled_from(["d", "e"])
TOO_LARGE_TWICE = 12_000
STATUSES = st.sampled_from(["realized", "exited"])
FIELDS = st.one_of(
    st.builds(
        lambda status, audience: {"segmentMembership": membership(1, status, audience)}, STATUSES, st.sampled_from("ab")
    ),
    st.builds(lambda value: {"attributes": {"x": value}}, st.integers(0, 2)),
    st.builds(lambda identity: {"identityMap": ids(identity)}, st.sampled_from("12")),
)


class TwoWorkers(RuleBasedStateMachine):
    """Nothing but messages, handled by either of two workers; `sent` are those so far."""

    def __init__(self) -> None:
        super().__init__()
        self.simulation = Simulation(in_slices=self.in_slices)
        self.loop = asyncio.new_event_loop()
        self.sent: list[list[dict[str, Any]]] = []
        self.mapped = ["a"]

    asks: ClassVar[dict[str, Any]] = {"attributes": ["/x"]}
    """What the dataflow `d` asks for besides its audiences."""
    in_slices = False

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)

    @initialize()
    def qualify(self) -> None:
        for profile_id in ("p", "q"):
            self.simulation.enqueue(item(profile_id, 0, segmentMembership=membership(0)))

    @rule(changes=st.lists(st.tuples(PROFILES, st.integers(1, 40), FIELDS), min_size=1, max_size=3))
    def change(self, changes: list[tuple[str, int, dict[str, Any]]]) -> None:
        self.sent.append([item(profile_id, second, **fields) for profile_id, second, fields in changes])
        self.simulation.enqueue(*self.sent[-1])

    @rule(profile_id=PROFILES, second=st.integers(1, 40), attribute=st.sampled_from("yz"), kept=st.booleans())
    def fill(self, profile_id: str, second: int, attribute: str, kept: bool) -> None:
        """Two such attributes are too much for a profile."""
        value = {attribute: attribute * TOO_LARGE_TWICE if kept else None}
        self.sent.append([item(profile_id, second, attributes=value)])
        self.simulation.enqueue(*self.sent[-1])

    @precondition(lambda self: self.simulation.queue)
    @rule(data=st.data())
    def deliver(self, data: Any) -> None:
        self.deliver_one(data.draw(st.sampled_from(sorted(self.simulation.queue))))

    def deliver_one(self, message_id: str) -> None:
        refused = self.simulation.world.quarantine.items
        before = set(refused)
        self.do(self.simulation.deliver(message_id))
        for key in set(refused) - before:
            self.do(self.check_refusal(refused[key]))

    async def check_refusal(self, refused: QuarantinedItem) -> None:
        """What was refused as too large does not fit the profile as it is stored."""
        assert "more than one entity takes" in refused.reason
        (change,) = decode_message(b"[%b]" % refused.raw, self.simulation.world.clock()).changes
        profiles = self.simulation.world.profiles
        profile = await profiles.load(change[1].profile_id)
        transition(profile.state, [change], "check", Targets(), self.simulation.world.clock())
        with pytest.raises(ProfileTooLargeError):
            profiles.require_room(profile)

    @precondition(lambda self: self.simulation.handled)
    @rule(data=st.data())
    def bring_again(self, data: Any) -> None:
        message_id = data.draw(st.sampled_from(sorted(self.simulation.handled)))
        self.simulation.bring_again(message_id)
        self.deliver_one(message_id)

    @rule()
    def hand_over(self) -> None:
        self.simulation.hand_over()

    @rule(steps=st.integers(1, 12), failure=st.sampled_from([Crash, StorageError]))
    def fail_soon(self, steps: int, failure: type[Crash | StorageError]) -> None:
        self.simulation.plan.at = self.simulation.plan.passed + steps
        self.simulation.plan.failure = failure

    @rule(profile_id=PROFILES, second=st.integers(1, 40))
    def delete(self, profile_id: str, second: int) -> None:
        self.sent.append([item(profile_id, second, deleted=True)])
        self.simulation.enqueue(*self.sent[-1])

    def dataflow(self, *, enabled: bool) -> dict[str, Any]:
        dataflow = {"id": "d", "audiences": self.mapped, "enabled": enabled, **self.asks}
        return {"dataflows": [dataflow, {"id": "e", "audiences": ["a"]}]}

    @invariant()
    def nothing_waits_for_who_is_forgotten(self) -> None:
        world = self.simulation.world
        forgotten = {
            key
            for key, (document, _) in world.profiles.rows.items()
            if json.loads(document).keys() == {"version", "deletion"} and json.loads(document)["deletion"][2] == "done"
        }
        assert not forgotten & {key for _, key in world.undelivered.rows}

    def teardown(self) -> None:
        try:
            self.do(self.finish())
        finally:
            self.loop.close()

    async def finish(self) -> None:
        self.simulation.plan.at = None
        self.simulation.world.sender.failures.clear()
        await self.simulation.apply(self.dataflow(enabled=True))
        await self.simulation.settle()
        await self.simulation.sweep()
        self.simulation.check()
        await self.simulation.check_consumers()


class RelayMachine(TwoWorkers):
    """All that goes on besides. Time moves on in each rule that lets something wait."""

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def send_again(self, data: Any) -> None:
        self.simulation.enqueue(*data.draw(st.sampled_from(self.sent)))

    @rule(destination_id=DESTINATIONS, failure=st.sampled_from([SendError, ThrottledError, ExportTooLargeError]))
    def fail(self, destination_id: str, failure: type[SendError]) -> None:
        self.simulation.world.sender.failures[destination_id] = lambda name: failure(name, "failed")

    @rule(destination_id=DESTINATIONS)
    def mend(self, destination_id: str) -> None:
        self.simulation.world.sender.failures.pop(destination_id, None)

    @precondition(lambda self: self.simulation.world.retries.waiting)
    @rule()
    def retry(self) -> None:
        self.do(self.simulation.retry_all())

    @rule(seconds=st.integers(1, 90))
    def watch(self, seconds: int) -> None:
        self.do(self.simulation.watch(seconds))

    @rule(destination_id=DESTINATIONS)
    def redrive(self, destination_id: str) -> None:
        async def redrive() -> None:
            await self.simulation.worker.watch_destinations.redrive(destination_id)

        async def survive() -> None:
            await self.simulation.survive(redrive)

        self.do(survive())

    @rule(destination_id=DESTINATIONS)
    def request_redrive(self, destination_id: str) -> None:
        async def survive() -> None:
            await self.simulation.survive(partial(self.ask_to_redrive, destination_id))

        self.do(survive())

    async def ask_to_redrive(self, destination_id: str) -> None:
        await self.simulation.worker.watch_destinations.request_redrive(destination_id)

    @rule(destination_id=DESTINATIONS, profile_id=PROFILES)
    def redrive_one(self, destination_id: str, profile_id: str) -> None:
        async def redrive() -> None:
            with suppress(NotUndeliveredError):
                await self.simulation.worker.watch_destinations.redrive_one(destination_id, profile_key(profile_id))

        async def survive() -> None:
            await self.simulation.survive(redrive)

        self.do(survive())

    @rule(audiences=st.sampled_from([["a"], ["a", "b"]]), enabled=st.booleans())
    def map_or_pause(self, audiences: list[str], enabled: bool) -> None:
        """Nothing is unmapped once it was mapped: consumers are not told of that, and the check would not know."""
        self.mapped = max(self.mapped, audiences)
        self.do(self.simulation.apply(self.dataflow(enabled=enabled)))
        self.simulation.allowed = {(destination, each) for destination in "de" for each in "pq"}

    @rule(seconds=st.integers(1, 200))
    def backfill(self, seconds: int) -> None:
        self.do(self.simulation.backfill(seconds))

    @rule()
    def sweep(self) -> None:
        self.do(self.simulation.sweep())

    @invariant()
    def one_row_and_few_pointers(self) -> None:
        retrying = [row for row, _ in self.simulation.world.undelivered.rows.values() if row.state == "retrying"]
        assert len(self.simulation.world.undelivered.rows) <= 4
        assert all(1 <= row.attempts <= 2 for row in retrying)


class RelayInSlices(RelayMachine):
    """The same where every redrive is handed out."""

    in_slices = True


class RelayWithConsent(RelayMachine):
    """The same where `d` asks for consent, and shows it: so each body says whether it may be what it is."""

    asks: ClassVar[dict[str, Any]] = {"attributes": ["/x", "/consent"], "consent": "/consent"}

    @initialize()
    def ask(self) -> None:
        self.do(self.simulation.apply(self.dataflow(enabled=True)))
        self.simulation.allowed = {("d", each) for each in "pq"}

    @rule(profile_id=PROFILES, consent=st.sampled_from(["y", "n", None]))
    def consent(self, profile_id: str, consent: str | None) -> None:
        """Each later than all before, for one that is stale says nothing."""
        self.sent.append([item(profile_id, 41 + len(self.sent), attributes={"consent": consent})])
        self.simulation.enqueue(*self.sent[-1])

    @rule(enabled=st.booleans())
    def pause_or_resume(self, enabled: bool) -> None:
        """And let every worker know, and what waits be handled."""
        self.map_or_pause(self.mapped, enabled)
        self.do(self.simulation.watch(31))
        self.do(self.simulation.deliver_all())

    async def finish(self) -> None:
        await super().finish()
        consented = {
            each["profileId"]
            for message in self.sent
            for each in message
            if each.get("attributes", {}).get("consent") == "y"
        }
        for export in self.simulation.world.sender.sent:
            if export.destination.id == "d":
                body = json.loads(export.body)
                assert export.profile_id in consented, "told of somebody who never consented"
                if body.get("consent") != "y":
                    assert body.keys() == {"segmentMembership", "identityMap"}
                    assert b'"realized"' not in export.body


SETTINGS = settings(max_examples=150, stateful_step_count=30)
TestTwoWorkers = TwoWorkers.TestCase
TestRelay = RelayMachine.TestCase
TestRelayInSlices = RelayInSlices.TestCase
TestRelayWithConsent = RelayWithConsent.TestCase
TestTwoWorkers.settings = TestRelay.settings = TestRelayWithConsent.settings = SETTINGS
TestRelayInSlices.settings = settings(max_examples=50, stateful_step_count=30)
