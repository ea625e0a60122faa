"""Talks to the control port of the fault proxy before Azurite."""

import json
from collections import Counter
from http.client import HTTPConnection, HTTPException
from typing import Any

from local.storage_faults.counts import CountedRequest, counts_from_json
from local.storage_faults.rules import StorageFault


class StorageFaultsError(Exception):
    """The proxy could not be reached, or refused what was asked; `status` is the HTTP status, if there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class StorageFaults:
    def __init__(self, port: int, *, host: str = "127.0.0.1", timeout: float = 5.0) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout

    def faults(self) -> list[StorageFault]:
        return [StorageFault.model_validate(rule) for rule in self._request("GET", "/faults")]

    def set_faults(self, *faults: StorageFault) -> None:
        """Replace all rules. For each request the first rule that matches, is not used up and has its turn fires."""
        self._request("PUT", "/faults", [fault.model_dump(by_alias=True) for fault in faults])

    def clear_faults(self) -> None:
        """Requests that a rule stalls or delays already stay so."""
        self._request("DELETE", "/faults")

    def requests(self) -> Counter[CountedRequest]:
        """How many requests were forwarded or answered since the proxy started, or since they were cleared.

        Each attempt of a client counts, also one that is refused; a batch of entities counts as the requests in it.
        """
        return counts_from_json(self._request("GET", "/requests"))

    def clear_requests(self) -> None:
        """Count from zero."""
        self._request("DELETE", "/requests")

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        connection = HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
        except (OSError, HTTPException) as error:
            raise StorageFaultsError(
                f"the storage fault proxy does not answer on {self._host}:{self._port} ({error}): "
                "is it running, and is this its control port rather than that of a service?"
            ) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise StorageFaultsError(f"{method} {path}: {text}", response.status)
        return json.loads(text) if text else None
