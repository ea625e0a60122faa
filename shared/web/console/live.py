"""The parts of a page that speak of now, and the tag by which a browser asks whether they say anything new."""

import hashlib

from markupsafe import Markup

_SELDOM = 600


class LiveParts:
    """What a template marks as such while it is rendered. `every`: after so many seconds a page asks again."""

    def __init__(self) -> None:
        self._seen = hashlib.sha256()
        self._ids: list[str] = []
        self.every = _SELDOM

    @property
    def follow(self) -> bool:
        """Whether the page has any besides the one that all pages have, of what stands still."""
        return len(self._ids) > 1

    def add(self, part_id: str, content: str, every: int) -> Markup:
        """Nothing to be shown, for a template that says so."""
        self._ids.append(part_id)
        self._seen.update(f"{part_id}\0{content}\0".encode())
        self.every = min(self.every, every)
        return Markup()

    @property
    def etag(self) -> str:
        """Weak: the rest of the page, such as what a form must carry, may differ."""
        return f'W/"{self._seen.hexdigest()[:32]}"'
