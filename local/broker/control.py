"""Talks to the control port of the local Event Hubs stand-in: hubs, keys, statistics and faults."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from typing import Any, Literal, Self
from urllib.parse import quote

DEFAULT_KEY_NAME = "RootManageSharedAccessKey"
DEFAULT_KEY = "SAS_KEY_VALUE"

Claim = Literal["Manage", "Send", "Listen"]
HubStatus = Literal["Active", "Disabled", "SendDisabled"]
FaultKind = Literal[
    "throttle",
    "reject",
    "quota-exceeded",
    "publisher-revoked",
    "size-exceeded",
    "detach",
    "detach-after-store",
    "drop-connection",
    "drop-after-store",
    "stall",
    "stall-after-store",
    "delay",
    "refuse-connection",
    "auth-failure",
]


class BrokerControlError(Exception):
    """The stand-in could not be reached, or refused what was asked; `status` is the HTTP status, if there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault rule. `hub` and `partition` None mean all of them, `count` None means until removed.

    `after` lets that many transfers (or tokens, or connections) pass first. `fired` is for reading only.
    """

    kind: FaultKind
    hub: str | None = None
    partition: str | None = None
    count: int | None = None
    after: int = 0
    delay_ms: int | None = None
    condition: str | None = None
    fired: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "hub": self.hub,
            "partition": self.partition,
            "count": self.count,
            "after": self.after,
            "delayMs": self.delay_ms,
            "condition": self.condition,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(
            kind=data["kind"],
            hub=data["hub"],
            partition=data["partition"],
            count=data["count"],
            after=data["after"],
            delay_ms=data["delayMs"],
            condition=data["condition"],
            fired=data["fired"],
        )


@dataclass(frozen=True)
class HubStats:
    """Counted since the hub was created: `events` and `bytes` were stored, `rejected` transfers were refused."""

    transfers: int
    events: int
    bytes: int
    rejected: int
    connections_open: int
    links_open: int


@dataclass(frozen=True)
class BrokerStats:
    connections_open: int
    hubs: dict[str, HubStats]


class BrokerControl:
    def __init__(self, port: int, *, host: str = "127.0.0.1", timeout: float = 5.0) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout

    def hubs(self) -> dict[str, int]:
        """The number of partitions of each hub."""
        return {hub["name"]: hub["partitions"] for hub in self._request("GET", "/hubs")}

    def create_hub(
        self, name: str, partitions: int = 4, *, consumer_groups: Iterable[str] = (), geo_replicated: bool = False
    ) -> None:
        """Idempotent; an existing hub with another number of partitions is an error.

        Of consumer groups only those are there that are named here or when the stand-in starts, and `$Default`.
        The offsets of a geo-replicated hub are no numbers.
        """
        fields = {"partitions": partitions, "consumerGroups": list(consumer_groups), "geoReplicated": geo_replicated}
        self._put_hub(name, fields)

    def set_hub_status(self, name: str, status: HubStatus) -> None:
        """Whom the status leaves no place is put out."""
        self._put_hub(name, {"status": status})

    def _put_hub(self, name: str, fields: dict[str, Any]) -> None:
        self._request("PUT", f"/hubs/{quote(name, safe='')}", fields)

    def delete_hub(self, name: str) -> None:
        self._request("DELETE", f"/hubs/{quote(name, safe='')}")

    def put_key(self, name: str, key: str, *claims: Claim) -> None:
        """A shared access policy of this name. If it is there, its key is another now: whoever came in is put out."""
        self._request("PUT", f"/keys/{quote(name, safe='')}", {"key": key, "claims": claims})

    def delete_key(self, name: str) -> None:
        """Whoever came in by it is put out."""
        self._request("DELETE", f"/keys/{quote(name, safe='')}")

    def stats(self) -> BrokerStats:
        answer = self._request("GET", "/stats")
        hubs = {
            name: HubStats(
                transfers=stats["transfers"],
                events=stats["events"],
                bytes=stats["bytes"],
                rejected=stats["rejected"],
                connections_open=stats["connectionsOpen"],
                links_open=stats["linksOpen"],
            )
            for name, stats in answer["hubs"].items()
        }
        return BrokerStats(connections_open=answer["connectionsOpen"], hubs=hubs)

    def faults(self) -> list[Fault]:
        return [Fault.from_json(rule) for rule in self._request("GET", "/faults")]

    def set_faults(self, *faults: Fault) -> None:
        """Replace all rules. For each transfer the first rule that matches and is not used up fires."""
        self._request("PUT", "/faults", [fault.to_json() for fault in faults])

    def clear_faults(self) -> None:
        self._request("DELETE", "/faults")

    def set_clock(self, ahead: timedelta) -> None:
        """The stand-in's time from now on, ahead of the machine's: idle connections and tokens end by it."""
        self._request("PUT", "/clock", {"aheadSeconds": ahead.total_seconds()})

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        connection = HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
        except (OSError, HTTPException) as error:
            raise BrokerControlError(
                f"the Event Hubs stand-in does not answer on {self._host}:{self._port} ({error}): "
                "is it running, and is this its control port rather than its AMQP port?"
            ) from error
        finally:
            connection.close()
        answer: Any = json.loads(text) if text else None
        if response.status >= 400:
            raise BrokerControlError(f"{method} {path}: {answer['error']}", response.status)
        return answer


def connection_string(amqp_port: int, hub: str, *, key_name: str = DEFAULT_KEY_NAME, key: str = DEFAULT_KEY) -> str:
    """What the Azure SDK needs to reach `hub` on a stand-in at this port."""
    return (
        f"Endpoint=sb://127.0.0.1:{amqp_port};SharedAccessKeyName={key_name};SharedAccessKey={key};"
        f"UseDevelopmentEmulator=true;EntityPath={hub}"
    )
