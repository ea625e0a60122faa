"""Two instances of the app: their admin API, whichever answers, and how they die."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from local.stack.functions_host import FunctionsHost, Invocations
from local.stack.local_stack import LocalStack

_ANSWERED_WITHIN = 120.0
_ONE_ANSWER_WITHIN = 20.0
_AGAIN_AFTER = 0.2
_AT_WORK_WITHIN = 1.0
_SLICES = "backfill_slice"


class Hosts:
    """An async context manager. `kills`: when each began and when the host was gone, in seconds since the epoch."""

    def __init__(self, stack: LocalStack, rng: random.Random) -> None:
        self._stack = stack
        self._rng = rng
        self._client = httpx.AsyncClient(trust_env=False, timeout=_ONE_ANSWER_WITHIN)
        self.kills: list[tuple[float, float]] = []

    async def __aenter__(self) -> "Hosts":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str, **query: str) -> Any:
        answer = await self._ask("GET", path, params=query)
        return answer.raise_for_status().json()

    async def post(self, path: str, document: Any) -> tuple[int, Any]:
        """The status, whatever it is, and the JSON of the answer."""
        answer = await self._ask("POST", path, json=document)
        return answer.status_code, answer.json()

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Of the first host that answers: one may be dead, or just starting."""
        until = time.monotonic() + _ANSWERED_WITHIN
        while True:
            for host in self._stack.functions_hosts:
                try:
                    return await self._client.request(method, f"{host.url}{path}", **more)
                except httpx.TransportError:
                    if time.monotonic() > until:
                        raise
            await asyncio.sleep(_AGAIN_AFTER)

    async def kill_one(self) -> None:
        """SIGKILL for a host that works on a slice, if one is met, and a new start."""
        host = await self._at_work()
        began = time.time()
        await asyncio.to_thread(host.kill)
        self.kills.append((began, time.time()))
        await asyncio.to_thread(host.start)

    async def _at_work(self) -> FunctionsHost:
        hosts = list(self._stack.functions_hosts)
        until = time.monotonic() + _AT_WORK_WITHIN
        while time.monotonic() < until:
            self._rng.shuffle(hosts)
            for host in hosts:
                if await asyncio.to_thread(_works_on_a_slice, host):
                    await asyncio.sleep(self._rng.uniform(0.0, 0.2))  # to meet a step in other moments of its life
                    return host
            await asyncio.sleep(_AGAIN_AFTER / 10)
        return hosts[0]


def _works_on_a_slice(host: FunctionsHost) -> bool:
    try:
        return host.invocations().get(_SLICES, Invocations()).running > 0
    except OSError:  # too busy to say so in time
        return False


@dataclass
class KillPlan:
    """Kills at random shares of a step's progress; `overdue` says when the next one is to be."""

    shares: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, kills: int, rng: random.Random) -> "KillPlan":
        return cls(sorted((rng.uniform(0.02, 0.9) for _ in range(kills)), reverse=True))

    def overdue(self, share: float) -> bool:
        """Whether the next kill is due at this `share` of the progress; each is once."""
        if not self.shares or share < self.shares[-1]:
            return False
        self.shares.pop()
        return True
