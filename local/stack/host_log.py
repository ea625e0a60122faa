"""What only the real host's log tells: how many invocations there were, and why an app cannot be loaded."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from local.stack.functions_host import Invocations

_BEGAN = re.compile(r"Executing 'Functions\.(\w+)' \(.*\bId=([-0-9a-f]+)")
_ENDED = re.compile(r"Executed 'Functions\.(\w+)' \((\w+), Id=([-0-9a-f]+)")
_NOT_LOADED = re.compile(
    r"(?:Worker failed to index functions|Initializing worker process failed) .*?"
    r"Result: Failure\s+Exception: (.+?)(?:\s+(?:Stack|Current sys\.path): |$)"
)


class HostLog:
    """Follows a log that grows; `begin` forgets what it has told so far, for a host that starts again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.begin()

    def begin(self) -> None:
        self._offset = self._file.stat().st_size if self._file.exists() else 0
        self._running: dict[str, str] = {}
        self._succeeded: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._not_loaded: str | None = None

    @property
    def invocations(self) -> Mapping[str, Invocations]:
        self._read()
        running = Counter(self._running.values())
        return {
            name: Invocations(running[name], self._succeeded[name], self._failed[name])
            for name in sorted(running | self._succeeded | self._failed)
        }

    @property
    def not_loaded(self) -> str | None:
        """Why the worker could not load the app, where it could not."""
        self._read()
        return self._not_loaded

    def _read(self) -> None:
        if not self._file.exists():
            return
        with self._file.open("rb") as log:
            log.seek(self._offset)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            self._take(line)

    def _take(self, line: str) -> None:
        if began := _BEGAN.search(line):
            self._running[began[2]] = began[1]
        elif ended := _ENDED.search(line):
            self._running.pop(ended[3], None)
            (self._succeeded if ended[2] == "Succeeded" else self._failed)[ended[1]] += 1
        elif self._not_loaded is None and (failure := _NOT_LOADED.search(line)):
            self._not_loaded = failure[1]
