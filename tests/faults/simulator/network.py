"""The way to storage: requests arrive late, fail, are made though nobody hears of it, and outlive who made them."""

import asyncio
import inspect
import random
from collections.abc import Callable, Coroutine
from copy import deepcopy
from typing import Any

from shared.errors import RelayError, StorageError
from tests.faults.simulator.life import Life
from tests.faults.simulator.recipe import Fault, Kind
from tests.faults.simulator.trace import Trace

_PATIENCE = 15.0
"""After so many seconds an adapter gives up."""
_LATE = (0.2, 0.4, 0.7, 2.0)


class Network:
    """`faults` are those of storage that last now."""

    def __init__(self, rng: random.Random, late: float, trace: Trace) -> None:
        self.faults: dict[str, Fault] = {}
        self._rng = rng
        self._late = late
        self._trace = trace

    def wrap(self, adapter: Any, name: str, life: Life) -> Any:
        """`adapter` as the worker of this life reaches it."""
        return _Reached(adapter, name, life, self)

    async def request(self, life: Life, what: str, method: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        life.step()
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._begin(life, what, method, arguments, answered)
        return await answered

    def _begin(
        self,
        life: Life,
        what: str,
        method: Callable[..., Any],
        arguments: tuple[Any, ...],
        answered: "asyncio.Future[Any]",
    ) -> None:
        """As a rule it is made and answered; else not made, made unheard, made twice, or made after all is over."""
        rng, loop, fate = self._rng, asyncio.get_running_loop(), self._fate()
        there, back = self._takes(), self._takes()
        if fate == "slow":
            there, back = rng.choice(((rng.uniform(1, 9), back), (there, rng.uniform(1, 9))))
        if fate in {"", "slow"}:
            loop.call_later(there, self._arrive, life, what, method, arguments, answered, back)
            return
        sent = deepcopy(arguments)  # as it is by now, whatever its sender makes of it
        if fate == "twice":
            loop.call_later(there, self._arrive, life, f"{what} (unheard)", method, sent, None, 0.0)
            again = there + rng.choice((0.3, 1.0, 4.0))
            loop.call_later(again, self._arrive, life, f"{what} (again)", method, arguments, answered, back)
            return
        if fate == "unheard":
            loop.call_later(there, self._arrive, life, f"{what} (unheard)", method, sent, None, 0.0)
        elif fate == "made later":
            later = _PATIENCE + rng.uniform(0.0, 10.0)
            loop.call_later(later, self._arrive, life, f"{what} (late)", method, sent, None, 0.0)
        fails_after = _PATIENCE if fate == "made later" else rng.choice((0.01, 0.5, 3.0, _PATIENCE))
        loop.call_later(there + fails_after, self._fail, life, what, answered)

    def _fate(self) -> str:
        for fault in self.faults.values():
            if fault.kind is Kind.STORAGE_DOWN:
                return self._rng.choice(("not made", "not made", "not made", "unheard"))
            if self._rng.random() < fault.share:
                if fault.kind is Kind.STORAGE_SLOW:
                    return "slow"
                return self._rng.choice(("not made", "unheard", "unheard", "twice", "twice", "made later"))
        return ""

    def _takes(self) -> float:
        rng = self._rng
        return rng.choice(_LATE) if rng.random() < self._late else rng.uniform(0.001, 0.01)

    def _arrive(
        self,
        life: Life,
        what: str,
        method: Callable[..., Any],
        arguments: tuple[Any, ...],
        answered: "asyncio.Future[Any] | None",
        back: float,
    ) -> None:
        result, error = None, None
        try:
            result = at_once(method(*arguments))
        except RelayError as problem:
            error = problem
        if self._trace.kept:
            self._trace.say(life.name, f"{what} {type(error).__name__ if error else ''}".rstrip())
        if answered is not None:
            asyncio.get_running_loop().call_later(back, _answer, answered, result, error)

    def _fail(self, life: Life, what: str, answered: "asyncio.Future[Any]") -> None:
        if not answered.done():
            self._trace.say(life.name, f"{what}: no answer")
            answered.set_exception(StorageError(f"{what}: no answer"))


def _answer(answered: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if answered.done():
        return  # whoever asked is dead
    if error is None:
        answered.set_result(result)
    else:
        answered.set_exception(error)


def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """What comes of work that waits for nobody: a fake's, within one moment, as a server serializes requests."""
    try:
        while work.send(None) is None:
            pass
    except StopIteration as ended:
        return ended.value
    raise RuntimeError(f"{work!r} waits for something")


class _Reached:
    def __init__(self, adapter: Any, name: str, life: Life, network: Network) -> None:
        self._adapter = adapter
        self._name = name
        self._life = life
        self._network = network

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._adapter, name)
        network, life, what = self._network, self._life, f"{self._name}.{name}"
        if inspect.isasyncgenfunction(method):

            async def collect(*arguments: Any) -> list[Any]:
                return [each async for each in method(*arguments)]

            async def pages(*arguments: Any) -> Any:
                for each in await network.request(life, what, collect, arguments):
                    yield each

            reached: Any = pages
        elif inspect.iscoroutinefunction(method):

            async def call(*arguments: Any) -> Any:
                return await network.request(life, what, method, arguments)

            reached = call
        else:
            return method
        self.__dict__[name] = reached
        return reached
