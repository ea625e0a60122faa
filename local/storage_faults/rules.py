"""The fault rules: what one may say, and which of them a request meets."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

Service: TypeAlias = Literal["blob", "queue", "table"]
FaultKind: TypeAlias = Literal["delay", "status", "status-after", "cut", "cut-after", "stall"]
ErrorStatus: TypeAlias = Literal[403, 412, 429, 500, 503]


class StorageFault(BaseModel):
    """One fault rule. `service`, `method` and `path` None mean all of them, `count` None means until removed.

    | kind | what happens to the request |
    | --- | --- |
    | `delay` | it is forwarded `delay_ms` later, even if the client has given up by then |
    | `status` | it is answered with the error `status`, and not forwarded |
    | `status-after` | it is forwarded, then answered with the error `status`: done, but not told |
    | `cut` | the connection is closed, and nothing forwarded |
    | `cut-after` | it is forwarded, then the connection closed without an answer: the reply is lost |
    | `stall` | it is neither forwarded nor answered, until the client gives up |

    `path` is a part of the decoded path, such as a table's name; a batch of entities matches by the paths in it.
    `after` lets that many matching requests pass first; each later one fires with `probability`, drawn from `seed`.
    `status` is 503 unless said otherwise. A `delay_ms` on other kinds delays them too. `fired` is for reading only.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    kind: FaultKind
    service: Service | None = None
    method: Annotated[str, Field(pattern="^[A-Z]+$")] | None = None
    path: str | None = None
    count: Annotated[int, Field(ge=1)] | None = None
    after: Annotated[int, Field(ge=0)] = 0
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    seed: int | None = None
    delay_ms: Annotated[int, Field(ge=1)] | None = None
    status: ErrorStatus | None = None
    fired: int = 0

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "delay" and self.delay_ms is None:
            raise ValueError('"delay" needs "delayMs"')
        if self.status is not None and self.kind not in ("status", "status-after"):
            raise ValueError('"status" is for the kinds "status" and "status-after" only')
        return self

    @property
    def error_status(self) -> ErrorStatus:
        return self.status or 503


@dataclass
class _Armed:
    rule: StorageFault
    random: Random
    seen: int = 0
    fired: int = 0

    def applies(self, service: Service, method: str, paths: Iterable[str]) -> bool:
        rule = self.rule
        return (
            (rule.count is None or self.fired < rule.count)
            and rule.service in (None, service)
            and rule.method in (None, method)
            and (rule.path is None or any(rule.path in path for path in paths))
        )

    def fires(self) -> bool:
        self.seen += 1
        if self.seen <= self.rule.after or self.random.random() >= self.rule.probability:
            return False
        self.fired += 1
        return True


class ArmedFaults:
    """The rules in force, and how often each has fired."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def replace(self, rules: Iterable[StorageFault]) -> None:
        self._armed = [_Armed(rule, Random(rule.seed)) for rule in rules]  # noqa: S311 - faults are no secret

    def rules(self) -> list[StorageFault]:
        return [armed.rule.model_copy(update={"fired": armed.fired}) for armed in self._armed]

    def meet(self, service: Service, method: str, paths: Iterable[str]) -> StorageFault | None:
        """The first rule that applies, is not used up and has its turn."""
        paths = list(paths)
        for armed in self._armed:
            if armed.applies(service, method, paths) and armed.fires():
                return armed.rule
        return None
