"""`python -m bench.pages`: what each page of the console asks of storage, at few and at many destinations, and how long
the app takes for it. docs/bench.md has what came of it.

Azurite and the app, in this process, share the machine. Exits 1 where a page that shows one destination asks for more
where there are more destinations, or a page takes too long.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from bench.harness.configured import PARTITIONS
from bench.harness.markdown import markdown_table
from bench.harness.report import headline
from bench.harness.storage_counts import Counts, count_storage
from bench.pages.scene import HUB, destination_id, prepare
from local.stack.local_stack import LocalStack
from shared.bootstrap import build
from shared.services.wiring import Services
from shared.web.app import create_app

_ONE = f"/console/destinations/{destination_id(0)}"
OF_ONE = tuple(
    f"{_ONE}{below}"
    for below in (
        *("", "/mapping", "/exports", "/backfills", "/contract", "/settings", "/edit", "/connection"),
        *("/pause", "/remove", "/dataflow/remove"),
    )
)
"""Pages that show one destination."""
OF_ALL = (
    "/console",
    "/console/input",
    "/console/backfills",
    "/console/audiences",
    "/console/audiences/upload?id=listed",
    "/console/alerts",
    "/console/alerts/subscriptions",
    "/console/undelivered",
    f"/console/undelivered/{destination_id(0)}/redrive",
    "/console/quarantine",
    "/console/why",
    "/console/audit",
    "/console/destinations/new",
)
MOST_MILLISECONDS = 300
_ROUNDS = 7
_DIRECTORY = Path(".local/bench/pages")


@dataclass(frozen=True, slots=True)
class Shown:
    """`first`: requests by kind of an instance that shows the page for the first time; `then`: of all times after."""

    first: dict[str, int]
    then: dict[str, int]
    milliseconds: float


async def _show(stack: LocalStack, path: str, counts: Counts) -> Shown:
    """By an instance of its own, which remembers nothing of others."""
    relay = await build(stack.settings | {"CONFIG_CACHE_SECONDS": "30"})

    async def services() -> Services:
        return relay.services

    app = create_app(services, app_service_authentication=False, local=True)
    asked: list[Counter[str]] = []
    took = []
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as browser:
            for _ in range(_ROUNDS):
                counts.clear()
                began = time.perf_counter()
                answer = await browser.get(path)
                took.append((time.perf_counter() - began) * 1_000)
                if answer.status_code != httpx.codes.OK:
                    raise RuntimeError(f"{path}: HTTP {answer.status_code}")
                asked.append(counts.requests.copy())
    finally:
        await relay.close()
    return Shown(dict(sorted(asked[0].items())), dict(sorted(asked[1].items())), statistics.median(took[1:]))


def measure(destinations: int, waiting: int, counts: Counts) -> dict[str, Shown]:
    """Each page, by its address."""
    directory = _DIRECTORY / str(destinations)
    shutil.rmtree(directory, ignore_errors=True)
    with LocalStack(directory, hubs={HUB: PARTITIONS}) as stack:
        asyncio.run(prepare(stack, destinations, waiting))

        async def show_all() -> dict[str, Shown]:
            return {path: await _show(stack, path, counts) for path in (*OF_ONE, *OF_ALL)}

        return asyncio.run(show_all())


def grown(few: dict[str, Shown], many: dict[str, Shown]) -> list[str]:
    """The pages of one destination that ask for more where there are many."""
    return [path for path in OF_ONE if (few[path].first, few[path].then) != (many[path].first, many[path].then)]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--few", type=int, default=10, help="destinations (default 10)")
    parser.add_argument("--many", type=int, default=100, help="destinations (default 100)")
    parser.add_argument("--undelivered", type=int, default=10_000, help="exports that wait (default 10,000)")
    parser.add_argument("--json", action="store_true", help="requests by kind, for programs")
    args = parser.parse_args(arguments)
    counts = count_storage()
    sizes = {number: measure(number, args.undelivered, counts) for number in (args.few, args.many)}
    few, many = sizes[args.few], sizes[args.many]
    if args.json:
        print(
            json.dumps(
                {number: {path: asdict(each) for path, each in pages.items()} for number, pages in sizes.items()}
            )
        )
    else:
        print(headline(" ".join(["python -m bench.pages", *arguments])))
        print(_table(args.few, few, args.many, many))
    wrong = [f"{path} asks for more where there are more destinations" for path in grown(few, many)]
    wrong += [
        f"{path} takes {each.milliseconds:.0f} ms"
        for path, each in many.items()
        if each.milliseconds > MOST_MILLISECONDS
    ]
    print(*wrong, sep="\n", file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


def _table(few_destinations: int, few: dict[str, Shown], many_destinations: int, many: dict[str, Shown]) -> str:
    heads = ("Page", *(f"{number}: first, then" for number in (few_destinations, many_destinations)), "ms")
    rows = [
        (
            f"`{path.replace(_ONE, '/console/destinations/{id}')}`",
            *(f"{sum(each[path].first.values())}, {sum(each[path].then.values())}" for each in (few, many)),
            f"{many[path].milliseconds:.0f}",
        )
        for path in (*OF_ALL, *OF_ONE)
    ]
    return markdown_table(heads, rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
