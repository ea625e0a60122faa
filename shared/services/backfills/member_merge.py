"""Members of several audiences as one stream by key, each once: those of one bucket, as the member index lists them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.concurrency import all_of
from shared.domain.profile.memberships import AudienceKey
from shared.ports.members import Member, MemberIndex

_ROWS_AHEAD = 1_000
_SMALLEST_PAGE = 50


@dataclass(slots=True)
class Listed:
    """A profile and its index rows."""

    key: str
    rows: list[tuple[AudienceKey, Member]] = field(default_factory=list)


@dataclass(slots=True)
class _Source:
    """What is read of one audience and not yet passed on."""

    audience: AudienceKey
    last_read: str
    rows: list[Member] = field(default_factory=list)
    ended: bool = False


class MemberMerge:
    """Reads the index from behind the key `after` on, page by page, and keeps at most about a thousand rows of it.

    `until` is the last key that it looks for; empty for all.
    """

    def __init__(
        self, index: MemberIndex, audiences: Sequence[AudienceKey], bucket: int, after: str, until: str = ""
    ) -> None:
        self._index = index
        self._bucket = bucket
        self._until = until
        self._sources = [_Source(audience, after) for audience in audiences]
        self._ready: list[Listed] = []

    async def take(self, most: int, ahead: int) -> list[Listed]:
        """The next profiles in the order of their keys, at most `most`; none at the end. Raises StorageError.

        `ahead`: about how many will be taken in all; more than them is not worth reading.
        """
        if not self._ready:
            page = max(_SMALLEST_PAGE, min(ahead, _ROWS_AHEAD) // max(1, len(self._sources)))
            await all_of(self._read(source, page) for source in self._sources)
            self._merge()
        taken, self._ready = self._ready[:most], self._ready[most:]
        return taken

    async def _read(self, source: _Source, page: int) -> None:
        if source.rows or source.ended:
            return
        source.rows = await self._index.page(source.audience, self._bucket, source.last_read, page)
        source.ended = len(source.rows) < page
        if source.rows:
            source.last_read = source.rows[-1].key
        if self._until and source.last_read > self._until:
            source.rows = [row for row in source.rows if row.key <= self._until]
            source.ended = True

    def _merge(self) -> None:
        """Make ready what no page still to be read can add to: all up to the first end of a page."""
        horizon = min((source.last_read for source in self._sources if not source.ended), default=None)
        listed: dict[str, Listed] = {}
        for source in self._sources:
            rows = [row for row in source.rows if horizon is None or row.key <= horizon]
            del source.rows[: len(rows)]
            for row in rows:
                listed.setdefault(row.key, Listed(row.key)).rows.append((source.audience, row))
        self._ready = [listed[key] for key in sorted(listed)]
