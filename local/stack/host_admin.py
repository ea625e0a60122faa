"""The admin API of the Functions host: which functions there are, what is wrong with them, and draining."""

import json
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

_TIMEOUT_SECONDS = 10.0


class HostAdmin:
    """Of the host at `url`; `key` is its master key, where it asks for one."""

    def __init__(self, url: str, key: str | None) -> None:
        self._url = url
        self._headers = {} if key is None else {"x-functions-key": key}

    def functions(self) -> dict[str, Sequence[str]] | None:
        """What is wrong with each function: mostly nothing. None while the host does not say that it runs."""
        try:
            if self._ask("host/status")["state"] != "Running":
                return None
            names = [str(function["name"]) for function in self._ask("functions")]
            return {name: self._ask(f"functions/{quote(name)}/status").get("errors") or () for name in names}
        except (OSError, HTTPException, ValueError, LookupError):
            return None  # it is not there yet, or starts again

    def drain(self) -> bool:
        """Take no more messages and fire no more timers; False where the host could not be asked."""
        try:
            self._ask("host/drain", "POST")
        except (OSError, HTTPException, ValueError):
            return False
        return True

    @property
    def drained(self) -> bool:
        """Whether all that was in hand when draining began is done."""
        try:
            return bool(self._ask("host/drain/status")["state"] == "Completed")
        except (OSError, HTTPException, ValueError, LookupError):
            return False

    def _ask(self, path: str, method: str = "GET") -> Any:
        request = Request(f"{self._url}/admin/{path}", headers=self._headers, method=method)  # noqa: S310 - our own
        with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            return json.loads(answer.read() or "null")
