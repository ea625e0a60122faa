"""The whole app while its identity endpoint is out: as it starts, and under load with tokens that end meanwhile.

Runs in a process that trusts the certificate of the stack's storage (`__main__.py` starts it).
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic.alias_generators import to_camel

from bench.harness.figures import percentile
from local.eventually import eventually
from local.stack.local_stack import LocalStack
from shared.domain.instants import SECOND, format_instant
from tests.faults.isolation.run import undelivered_exports
from tests.faults.load.storage import POISON_QUEUES, Storage
from tests.faults.sign_in.stack import CLIENT_ID, CONFIGURATION, HUB, StackByToken
from tests.kit.builders import membership
from tests.kit.identity_endpoint import IdentityEndpoint, identity_endpoint
from tests.kit.running_relay import RunningRelay

_NEVER = "0 0 0 1 1 *"
_SETTINGS = {"BACKFILL_SCHEDULE": _NEVER, "ALERT_SCHEDULE": _NEVER}
_AT_START = 60
_PATIENCE = 300.0
_LOOK_SECONDS = 0.1
_UPLOAD = "/api/audiences/list/members?namespace=uploads"
_CSV = {"Content-Type": "text/csv"}


@dataclass(frozen=True, kw_only=True)
class Outage:
    """At a cold start, for `seconds`. `first`, `last`: seconds from the endpoint's return until exports of what waited
    were there; `asked`: the app's requests of the endpoint meanwhile.
    """

    seconds: float
    changes: int
    first: float
    last: float
    asked: int
    lost: int
    poison: int
    quarantined: int


@dataclass(frozen=True, kw_only=True)
class Load:
    """Of `seconds`, with tokens of a `life` in seconds. The endpoint was out from `out_from` to `out_until`, seconds
    after the first token. `tokens`: how many it gave in `elapsed` seconds, until all was there; `p99`, `worst`: seconds
    from a change to its export.
    """

    seconds: float
    elapsed: float
    life: int
    out_from: float
    out_until: float
    changes: int
    uploads: int
    tokens: int
    failed_requests: int
    failures: int
    retried: int
    duplicates: int
    p99: float
    worst: float
    lost: int
    poison: int
    quarantined: int


def document(result: Outage | Load) -> dict[str, Any]:
    return {
        to_camel(name): round(value, 2) if isinstance(value, float) else value for name, value in asdict(result).items()
    }


async def cold_start(directory: Path, certificate: Path, seconds: float, settings: Mapping[str, str]) -> Outage:
    """Changes wait, a third of them before the app starts, and the others come while it has no token."""
    with identity_endpoint() as endpoint, StackByToken(directory, certificate) as stack:
        endpoint.out.add(CLIENT_ID)
        relay = RunningRelay(stack, CONFIGURATION)
        await relay.apply({})
        sent = [f"p{number}" for number in range(_AT_START)]
        await _send(relay, sent[: _AT_START // 3])
        await _start(stack, endpoint, settings)
        began = time.monotonic()
        for profile_id in sent[_AT_START // 3 :]:
            await asyncio.sleep(seconds * 0.9 / _AT_START)
            await _send(relay, [profile_id])
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        assert _events(stack) == 0
        asked = endpoint.failed
        endpoint.out.clear()
        returned = time.monotonic()
        await eventually(lambda: _events(stack) > 0, timeout=_PATIENCE)
        first = time.monotonic() - returned
        await eventually(lambda: _events(stack) >= len(sent), timeout=_PATIENCE)
        last = time.monotonic() - returned
        await relay.handled()
        return Outage(
            seconds=seconds,
            changes=len(sent),
            first=first,
            last=last,
            asked=asked,
            lost=len(set(sent) - {each.properties["profileId"] for each in await relay.exports()}),
            **await _left(stack),
        )


async def load(
    directory: Path,
    certificate: Path,
    *,
    seconds: float,
    life: int,
    out: tuple[float, float],
    settings: Mapping[str, str],
) -> Load:
    """Some changes a second and now and then an upload, which is blobs; tokens end when they say, but for a moment."""
    with identity_endpoint() as endpoint, StackByToken(directory, certificate) as stack:
        endpoint.life, endpoint.beyond = life, 3
        relay = RunningRelay(stack, CONFIGURATION)
        await relay.apply({})
        await _send(relay, ["first"])
        await _start(stack, endpoint, settings)
        assert await eventually(lambda: _events(stack) == 1, timeout=_PATIENCE)
        began = time.monotonic()
        switching = asyncio.create_task(_switch(endpoint, out))
        sent: dict[str, float] = {}
        uploads = 0
        async with httpx.AsyncClient(base_url=stack.functions_host.url, timeout=60) as http:
            while time.monotonic() < began + seconds:
                for _ in range(4):
                    profile_id = f"p{len(sent)}"
                    sent[profile_id] = time.time()
                    await _send(relay, [profile_id])
                    await asyncio.sleep(0.25)
                answer = await http.post(_UPLOAD, content=b"profileId\nsomebody\n", headers=_CSV)
                answer.raise_for_status()
                uploads += 1
        await switching
        await relay.handled()
        assert await eventually(lambda: _events(stack) > len(sent), timeout=_PATIENCE)
        elapsed, tokens = time.monotonic() - began, len(endpoint.asked)
        exports = await relay.exports()
        delays = sorted(
            each.enqueued_time.timestamp() - sent[each.properties["profileId"]]
            for each in exports
            if each.properties["profileId"] in sent
        )
        return Load(
            seconds=seconds,
            elapsed=elapsed,
            life=life,
            out_from=out[0],
            out_until=out[1],
            changes=len(sent),
            uploads=uploads,
            tokens=tokens,
            failed_requests=endpoint.failed,
            failures=sum(each.failed for each in stack.functions_host.invocations().values()),
            retried=sum(undelivered_exports(stack.functions_host.log).values()),
            duplicates=len(delays) - len(sent),
            p99=percentile(delays, 0.99),
            worst=delays[-1],
            lost=len(sent.keys() - {each.properties["profileId"] for each in exports}),
            **await _left(stack),
        )


async def _switch(endpoint: IdentityEndpoint, out: tuple[float, float]) -> None:
    began = time.monotonic()
    await asyncio.sleep(out[0])
    endpoint.out.add(CLIENT_ID)
    await asyncio.sleep(max(0.0, began + out[1] - time.monotonic()))
    endpoint.out.clear()


async def _start(stack: StackByToken, endpoint: IdentityEndpoint, settings: Mapping[str, str]) -> None:
    wanted = {**_SETTINGS, **stack.settings_by_token, **endpoint.settings, **settings}
    await asyncio.to_thread(stack.start_functions_host, settings=wanted)


async def _send(relay: RunningRelay, profile_ids: list[str]) -> None:
    now = format_instant(time.time_ns() // 1_000 // SECOND * SECOND)
    change = {"occurredAt": now, "attributes": {"x": 1}, "segmentMembership": membership(1)}
    await relay.send(*({"profileId": each, **change} for each in profile_ids))


def _events(stack: LocalStack) -> int:
    return stack.broker.stats().hubs[HUB].events


async def _left(stack: LocalStack) -> dict[str, int]:
    async with Storage(stack.storage_connection_string) as storage:
        return {"poison": await storage.waiting(POISON_QUEUES), "quarantined": len(await storage.quarantined())}


def main(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What `__main__.py` asks for, as JSON: each part only where it is asked for."""
    directory, certificate = Path(asked["directory"]), Path(asked["certificate"])
    found: dict[str, Any] = {}
    if (outage := asked["outage"]) > 0:
        parts = cold_start(directory / "cold-start", certificate, outage, asked["settings"])
        found["coldStart"] = document(asyncio.run(parts))
    if (seconds := asked["load"]) > 0:
        life, out = asked["life"], tuple(asked["out"])
        under_load = load(
            directory / "load", certificate, seconds=seconds, life=life, out=out, settings=asked["settings"]
        )
        found["load"] = document(asyncio.run(under_load))
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.load(sys.stdin))))
