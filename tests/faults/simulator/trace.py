"""Who did what when: the same for the same seed, to the microsecond."""

import asyncio
import hashlib


class Trace:
    """`kept`: whether lines are, which costs more than a run that nobody looks at should."""

    def __init__(self, *, kept: bool) -> None:
        self.kept = kept
        self._lines: list[tuple[float, str, str]] = []

    def say(self, who: str, what: str) -> None:
        if self.kept:
            self._lines.append((asyncio.get_running_loop().time(), who, what))

    def lines(self) -> list[str]:
        return [f"{at:12.6f}  {who:<18} {what}" for at, who, what in self._lines]

    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.lines()).encode()).hexdigest()
