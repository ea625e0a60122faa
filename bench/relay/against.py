"""This build beside that of another revision, in turns, on tables that are faster than either.

Both get the same messages, each in an account and a hub of its own, and must tell the same of every profile. A second
process of this build shows by how much two that are the same differ.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from statistics import median
from typing import Any, TypeAlias

from bench.harness.batches import Properties
from bench.harness.checks import Check
from bench.harness.configured import PARTITIONS, configure_storage
from bench.harness.people import member_id, profile
from bench.harness.report import MeasuredPart
from bench.harness.seeding import CollectingTable
from bench.harness.worker_process import WorkerProcess
from bench.relay.measures.comparing import require_same
from bench.relay.revisions import THIS, Build, build_of
from bench.relay.scene import CHANGES_A_PROFILE, COLD, DECK, PUBLISHED, Batch, changes_of, configuration, messages_of
from bench.relay.sizes import Sizes
from bench.tables.certificate import make_certificate
from bench.tables.stand_in import TableStandIn, Tls
from local.stack.local_stack import LocalStack
from shared.adapters.tables.profiles import TableProfiles
from shared.adapters.tables.service.table import Account, Table
from shared.bootstrap import clock
from shared.settings import PROFILE_BUCKETS, Connection

NEW, SAME, OLD = "this", "again", "before"
WHO = (NEW, SAME, OLD)
FIRST, ALONE = "first", "alone"
_INSERTS_AT_ONCE = 64
_WORKER = Path(__file__).parent / "against_worker.py"
_PEAK = "peakKiB"

Runs: TypeAlias = dict[str, list[dict[str, Any]]]
"""What each of WHO answered, in the order of the rounds."""


@dataclass(frozen=True, kw_only=True)
class Against:
    revision: str
    tls: bool = False


def measure_against(sizes: Sizes, directory: Path, against: Against) -> MeasuredPart:
    """Raises LocalError where the revision cannot be built, RuntimeError where both did not tell the same."""
    with build_of(against.revision, directory.parent) as other:
        rmtree(directory, ignore_errors=True)
        builds = {NEW: THIS, SAME: THIS, OLD: other}
        with LocalStack(directory, hubs=dict.fromkeys(WHO, PARTITIONS)) as stack, ExitStack() as parts:
            tls = make_certificate(directory.absolute() / "tls") if against.tls else None
            tables = parts.enter_context(TableStandIn(directory / "logs" / "tables.log", tls=tls))
            tables.start()
            scene = _Scene(stack, tables, builds, sizes, directory, tls)
            runs = scene.measure()
            compared = asyncio.run(require_same(stack, WHO))
    where = "tables over TLS" if against.tls else "tables without TLS"
    checks = list(_checks(runs, against.revision, where))
    figures = {check.what: check.value for check in checks} | {"profiles_compared": compared}
    return MeasuredPart("against", figures, checks, runs)


class _Scene:
    def __init__(
        self,
        stack: LocalStack,
        tables: TableStandIn,
        builds: Mapping[str, Build],
        sizes: Sizes,
        directory: Path,
        tls: Tls | None,
    ) -> None:
        self._stack = stack
        self._builds = builds
        self._sizes = sizes
        self._directory = directory.absolute()
        others = stack.storage_connection_string
        self._filled_by = {who: tables.connection_string(who, others) for who in WHO}
        self._used_by = {who: tables.connection_string(who, others, over_tls=tls is not None) for who in WHO}
        self._trust = {"SSL_CERT_FILE": str(tls.certificate)} if tls else {}
        self._files = 0
        self._first = 0

    def measure(self) -> dict[str, Runs]:
        sizes = self._sizes
        of_each = dict.fromkeys(CHANGES_A_PROFILE, (sizes.rounds + 1) * sizes.against_changes)
        needed = (sizes.starts + 1) * DECK + sum(changes // CHANGES_A_PROFILE[mix] for mix, changes in of_each.items())
        asyncio.run(self._fill(needed))
        runs: dict[str, Runs] = {FIRST: _no_runs(), ALONE: _no_runs()}
        for number in range(-1, sizes.starts):
            self._start(runs, number)
        with ExitStack() as running:
            workers = {who: running.enter_context(self._worker(who)) for who in WHO}
            for mix in CHANGES_A_PROFILE:
                runs[mix] = _no_runs()
                for number in range(-1, sizes.rounds):
                    self._round(workers, mix, number, runs[mix])
        return runs

    def _start(self, runs: dict[str, Runs], number: int) -> None:
        """A new process of each, with a message at a time; the first of them only fill the system's file cache."""
        messages = self._messages(self._batch(COLD, DECK), 1)
        for who in _turn(number):
            began = time.monotonic()
            with self._worker(who) as worker:
                first, *others = worker.ask({"messages": messages, "together": False})["each"]
            if number >= 0:
                runs[FIRST][who].append({"seconds": first["ended"] - began})
                runs[ALONE][who].append({"seconds": median(each["ended"] - each["began"] for each in others)})

    def _round(self, workers: Mapping[str, WorkerProcess], mix: str, number: int, runs: Runs) -> None:
        """The first of them only warms up."""
        changes = self._sizes.against_changes
        messages = self._messages(self._batch(mix, changes))
        for who in _turn(number):
            run = workers[who].ask({"messages": messages, "together": True})
            if number >= 0:
                runs[who].append(run | {"changes": changes})
        if number >= 0:
            rates = ", ".join(f"{who} {changes / runs[who][-1]['seconds']:,.0f}" for who in WHO)
            print(f"{mix}: {rates} changes/s", file=sys.stderr, flush=True)

    def _batch(self, mix: str, changes: int) -> Batch:
        batch = Batch(mix=mix, first=self._first, changes=changes, at=clock())
        self._first = batch.profiles.stop
        return batch

    def _messages(self, batch: Batch, most_changes: int | None = None) -> str:
        """The file with a batch's messages."""
        self._files += 1
        file = self._directory / f"messages-{self._files}.json"
        texts = messages_of([json.dumps(change) for change in changes_of(batch)], most_changes)
        file.write_text(json.dumps(texts), encoding="utf-8")
        return str(file)

    def _settings(self, connection_string: str) -> dict[str, str]:
        # As in Azure; the stack has 1.
        return self._stack.settings | {"RELAY_STORAGE": connection_string, "CONFIG_CACHE_SECONDS": "30"}

    def _worker(self, who: str) -> WorkerProcess:
        build = self._builds[who]
        return WorkerProcess(
            [str(build.python), "-P", str(_WORKER)],
            self._settings(self._used_by[who]) | self._trust | {"PYTHONPATH": str(build.folder)},
            self._directory / f"{who}.log",
            folder=build.folder,
        )

    async def _fill(self, profiles: int) -> None:
        """The same rows in each account, as this build writes them."""
        rows, now = CollectingTable("Profiles"), clock()
        adapter = TableProfiles([rows] * PROFILE_BUCKETS)
        for number in range(profiles):
            await adapter.save(profile(member_id(number), now))
        for who, connection_string in self._filled_by.items():
            await configure_storage(self._settings(connection_string), configuration(who))
            async with Account(Connection("RELAY_STORAGE", connection_string)) as account:
                await _insert(Table(account, "Profiles"), rows.rows)


async def _insert(table: Table, rows: Sequence[Properties]) -> None:
    waiting = iter(rows)

    async def work() -> None:
        for row in waiting:
            await table.put(row)

    await asyncio.gather(*(work() for _ in range(_INSERTS_AT_ONCE)))


def _no_runs() -> Runs:
    return {who: [] for who in WHO}


def _turn(number: int) -> Sequence[str]:
    """Who comes first changes from round to round."""
    start = number % len(WHO)
    return (*WHO[start:], *WHO[:start])


def _checks(runs: Mapping[str, Runs], revision: str, where: str) -> Iterator[Check]:
    for mix in CHANGES_A_PROFILE:
        yield _check(runs[mix], f"{mix}: CPU a change over that of {revision}", "cpuSeconds", where)
        yield _check(runs[mix], f"{mix}: changes/s over those of {revision}", "seconds", where, inverse=True)
    yield _check(runs[FIRST], f"first message of a new process, time over that of {revision}", "seconds", where)
    yield _check(runs[ALONE], f"a message at a time, p50 over that of {revision}", "seconds", where)
    yield _check(runs[PUBLISHED], f"peak memory over that of {revision}", _PEAK, where)


def _check(runs: Runs, what: str, figure: str, where: str, *, inverse: bool = False) -> Check:
    def ratio(who: str, to: str) -> float:
        pairs = zip(runs[who], runs[to], strict=True)
        return float(median(one[figure] / other[figure] for one, other in pairs))

    value, noise = (ratio(OLD, NEW), ratio(SAME, NEW)) if inverse else (ratio(NEW, OLD), ratio(NEW, SAME))
    medians = " and ".join(_told(runs[who], figure) for who in (NEW, OLD))
    return Check(what=what, value=value, of=f"{medians}; the same build twice: {noise:.3f}; {where}")


def _told(runs: Sequence[Mapping[str, float]], figure: str) -> str:
    value = median(run[figure] for run in runs)
    if figure == _PEAK:
        return f"{value / 1024:,.0f} MiB"
    if "changes" not in runs[0]:
        return f"{value * 1_000:,.1f} ms"
    changes = runs[0]["changes"]
    return f"{value / changes * 1e6:,.0f} µs" if figure == "cpuSeconds" else f"{changes / value:,.0f} changes/s"
