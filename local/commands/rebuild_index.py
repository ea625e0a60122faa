"""`python -m local rebuild-index`: make the member index from the profiles."""

import argparse
import asyncio
import json
import sys
import time

from local.cli_types import whole_number
from local.errors import LocalError
from local.relay import opened_relay
from local.stack.state import StackSettings, StateDirectory
from shared.errors import RelayError
from shared.services.backfills.rebuild_index import Rebuilt
from shared.settings import PROFILE_BUCKETS

SUMMARY = "make the member index, from which backfills go, from the profiles"
DESCRIPTION = """\
List every profile in each of its audiences, in the table AudienceMembers, from which backfills take their members.
Needed once after an upgrade from a release without that table, and when rows of it were lost. It only adds rows: it
may run while changes come in, and more than once. Prints how far it is; when it is interrupted, it says with which
--from-bucket to go on.
"""
_PROGRESS_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from-bucket",
        type=whole_number,
        default=0,
        metavar="N",
        help=f"leave out the buckets of profiles before this one of {PROFILE_BUCKETS:,} (default 0)",
    )
    parser.add_argument("--json", action="store_true", help="what was done as one JSON object")


def run(args: argparse.Namespace) -> int:
    if args.from_bucket >= PROFILE_BUCKETS:
        raise LocalError(f"--from-bucket {args.from_bucket}: the last bucket is {PROFILE_BUCKETS - 1}")
    progress = _Progress(args.from_bucket)
    try:
        asyncio.run(_rebuild(args.from_bucket, StateDirectory(args.state_dir).settings(), progress))
    except RelayError as error:
        raise LocalError(f"{error}; {progress}: {progress.way_on}") from error
    except KeyboardInterrupt:
        print(f"interrupted: {progress}: {progress.way_on}", file=sys.stderr)
        return 130
    print(json.dumps(progress.document()) if args.json else f"done: {progress}")
    return 0


class _Progress:
    """What was done since `first`, the bucket it began with."""

    def __init__(self, first: int) -> None:
        self._from = f" from bucket {first} on" if first else ""
        self._at = Rebuilt(buckets=first, of_buckets=PROFILE_BUCKETS, profiles=0, rows=0)
        self._told = time.monotonic()

    def __str__(self) -> str:
        at = self._at
        return f"{at.buckets:,} of {at.of_buckets:,} buckets, {at.profiles:,} profiles, {at.rows:,} rows{self._from}"

    def document(self) -> dict[str, int]:
        at = self._at
        return {"buckets": at.buckets, "ofBuckets": at.of_buckets, "profiles": at.profiles, "rows": at.rows}

    @property
    def way_on(self) -> str:
        return f"go on with python -m local rebuild-index --from-bucket {self._at.buckets}"

    def tell(self, at: Rebuilt) -> None:
        self._at = at
        if time.monotonic() - self._told >= _PROGRESS_SECONDS:
            self._told = time.monotonic()
            print(f"{self} so far", file=sys.stderr, flush=True)


async def _rebuild(first: int, settings: StackSettings, progress: _Progress) -> None:
    async with opened_relay(settings) as relay:
        async for at in relay.services.rebuild_index.run(first):
            progress.tell(at)
