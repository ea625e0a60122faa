"""What killing an instance costs: the only host of a stack dies at random moments of full load and is started again.

In hand is what the host had begun and not ended, as its log or its status page tells. Late is a message with a change
whose first export came more than `LATE_SECONDS` after the kill, be it in hand, fetched by the host and not begun, or
still on the queue: on a machine that is too busy to empty it in time the figures say nothing. What is exported and yet
still on the queue at the end comes once more, which is counted as duplicates to come.
"""

import asyncio
import math
import os
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from azure.storage.queue.aio import QueueClient

from bench.harness.checks import Check
from bench.harness.live_load import LiveLoad
from bench.harness.report import MeasuredPart
from bench.relay.filling import fill
from bench.relay.live_host import SETTINGS
from bench.relay.real_host.exported import exports_by_number
from bench.relay.sizes import Sizes
from bench.relay.stacks import started_stack
from local.eventually import eventually
from local.stack.functions_host import FunctionsHost, HostKind, Invocations
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from local.stack.part import PROJECT
from local.stack.real_host_tools import RUN_HOST

LATE_SECONDS = 90.0
_CHANGES_A_MESSAGE = 20
_MESSAGES = 150
PROFILES = 2 * _MESSAGES * _CHANGES_A_MESSAGE
"""Their next change comes after the next kill: had they one before, what comes again would be outdated by it."""
_UNTIL_BUSY = 24
"""Messages: then the host takes new ones as others end."""
_EXPORTER = "export_profile_changes"
_DRAINED_SECONDS = 4.0
_PAGE = 32
_TAKEN_SECONDS = 3


@dataclass
class Kill:
    """`in_hand`: the messages that the host had fetched, whether or not the app had begun with them. `numbers` are
    those of the changes that were on their way; `late` is how many messages were.
    """

    at: float
    in_hand: int
    numbers: range
    late: int = 0


@dataclass
class Kills:
    kills: list[Kill] = field(default_factory=list)
    duplicates: int = 0
    to_come: int = 0


def measure_kills(sizes: Sizes, directory: Path, app_dir: Path = PROJECT) -> MeasuredPart:
    """On the real host where FUNCTIONS_HOST names one, else on the stand-in, whose leases are as long."""
    kind = HostKind.REAL if os.environ.get(RUN_HOST) else HostKind.STAND_IN
    with started_stack(directory, in_memory=False, tables_apart=True) as stack:
        asyncio.run(fill(stack, PROFILES))
        kills = asyncio.run(_run(stack, kind, sizes.kills, app_dir))
    shares = [1 - kill.late / kill.in_hand for kill in kills.kills if kill.in_hand]
    in_hand, late = (sum(getattr(kill, what) for kill in kills.kills) for what in ("in_hand", "late"))
    figures = {
        "host": kind.value,
        "kills": len(kills.kills),
        "in_hand": in_hand,
        "late": late,
        "duplicates": kills.duplicates,
        "duplicates_to_come": kills.to_come,
    }
    runs = [asdict(kill) | {"numbers": len(kill.numbers)} for kill in kills.kills]
    return MeasuredPart("kills", figures, list(_checks(kind, kills, shares)), runs)


def _checks(kind: HostKind, kills: Kills, shares: Sequence[float]) -> Iterator[Check]:
    in_hand = sum(kill.in_hand for kill in kills.kills)
    late = sum(kill.late for kill in kills.kills)
    host = f"{len(kills.kills)} kills of the {kind.value} host, {in_hand} messages of {_CHANGES_A_MESSAGE} in hand"
    yield Check(
        what=f"share of messages in hand that are exported within {LATE_SECONDS:g} s",
        value=1 - late / in_hand if in_hand else float("nan"),
        of=f"{host}, {late} late",
        at_least=0.85,
    )
    yield Check(what="the same, in the median kill", value=median(shares), of=host, at_least=1.0)
    yield Check(
        what="exports sent twice for each message in hand",
        value=(kills.duplicates + kills.to_come) / in_hand if in_hand else float("nan"),
        of=f"{kills.duplicates} so far, {kills.to_come} when what is exported and not deleted comes again",
    )


async def _run(stack: LocalStack, kind: HostKind, count: int, app_dir: Path) -> Kills:
    chance, kills = random.Random(), Kills()
    connection_string = stack.storage_connection_string
    await asyncio.to_thread(stack.start_functions_host, kind=kind, settings=SETTINGS, app_dir=app_dir)
    async with QueueClient.from_connection_string(connection_string, CHANGES_QUEUE, use_env_settings=False) as queue:
        load = LiveLoad(queue, 0, PROFILES, changes_a_message=_CHANGES_A_MESSAGE)
        await load.burst(_MESSAGES * _CHANGES_A_MESSAGE)
        await _drained(queue)
        for _ in range(count):
            kills.kills.append(await _kill(stack, load, queue, chance))
            print(f"{kills.kills[-1]}", file=sys.stderr, flush=True)
            await asyncio.to_thread(stack.functions_host.start)
            await _drained(queue)
            # Who is killed again meanwhile has what was given back in hand once more.
            await asyncio.sleep(max(0.0, kills.kills[-1].at + LATE_SECONDS + 5 - time.time()))
        await asyncio.to_thread(stack.functions_host.stop)
        left = (await queue.get_queue_properties()).approximate_message_count or 0
    judge(kills, await exports_by_number(stack), left, _CHANGES_A_MESSAGE)
    return kills


async def _kill(stack: LocalStack, load: LiveLoad, queue: QueueClient, chance: random.Random) -> Kill:
    """Of a host that is at full load, and has enough left for longer."""
    first, host = load.next, stack.functions_host
    done = _succeeded(host)
    await load.burst(_MESSAGES * _CHANGES_A_MESSAGE)
    await eventually(lambda: _succeeded(host) >= done + _UNTIL_BUSY, timeout=180)
    await asyncio.sleep(chance.uniform(0.0, 1.0))
    at = time.time()
    await asyncio.to_thread(host.kill)
    return Kill(at, await _hidden(queue), range(first, load.next))


async def _hidden(queue: QueueClient) -> int:
    """How many messages nobody else can have for now; each of the others is taken for a moment."""
    left = (await queue.get_queue_properties()).approximate_message_count or 0
    visible = queue.receive_messages(messages_per_page=_PAGE, visibility_timeout=_TAKEN_SECONDS)
    return left - len([message async for message in visible])


def _succeeded(host: FunctionsHost) -> int:
    return host.invocations().get(_EXPORTER, Invocations()).succeeded


async def _drained(queue: QueueClient) -> None:
    """Until what is left is hidden: the queue is not less for a while."""
    least, since = sys.maxsize, time.monotonic()

    async def quiet() -> bool:
        nonlocal least, since
        left = (await queue.get_queue_properties()).approximate_message_count or 0
        if left < least:
            least, since = left, time.monotonic()
        return not left or (time.monotonic() - since > _DRAINED_SECONDS and not await queue.peek_messages(1))

    await eventually(quiet, timeout=180)


def judge(kills: Kills, exports: Mapping[int, Sequence[float]], left: int, changes_a_message: int) -> None:
    """Fill in what came of the kills: `exports` are when each change was exported, `left` the messages at the end."""
    unfinished = 0
    for kill in kills.kills:
        for first in kill.numbers[::changes_a_message]:
            firsts = [min(exports.get(number, (math.inf,))) for number in range(first, first + changes_a_message)]
            kill.late += max(firsts) > kill.at + LATE_SECONDS
            unfinished += max(firsts) == math.inf
    kills.duplicates = sum(len(times) - 1 for times in exports.values())
    kills.to_come = max(0, left - unfinished) * changes_a_message
