"""The console over fakes, called in process as a browser would."""

import re
from collections.abc import Iterable, Mapping
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx
from fastapi.routing import APIRoute

from shared.web.app import PAGES
from shared.web.permissions import Permission
from tests.kit.api import BASE_URL, Api
from tests.kit.world import World

SAME_ORIGIN = {"sec-fetch-site": "same-origin", "origin": BASE_URL}


class Console(Api):
    """Signed in with these permissions, all unless told otherwise; `submit` sends forms."""

    def __init__(self, world: World, permissions: Iterable[Permission] | None = tuple(Permission)) -> None:
        super().__init__(world, permissions)
        self.headers["accept"] = "text/html,application/xhtml+xml"

    async def page(self, path: str, status: int = 200) -> str:
        """The text of a page, which must have this status."""
        return text_of(await self.get(path), status)

    async def submit(
        self, path: str, fields: Mapping[str, Any] | None = None, headers: Mapping[str, str] = SAME_ORIGIN
    ) -> httpx.Response:
        """Send a form; what it answers with, before any redirect is followed."""
        return await self.post(path, data=dict(fields or {"nothing": ""}), headers=headers)


def text_of(answer: httpx.Response, status: int = 200) -> str:
    """What there is to read, with the tags taken out; and every answer has the headers that keep others out."""
    assert answer.status_code == status, answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", answer.text)))


def fields_of(page: str) -> dict[str, str]:
    """What the one form of a page would send as it is."""
    reader = _Inputs()
    reader.feed(page)
    return reader.fields


class _Inputs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        # What has no name is not sent.
        if tag == "input" and "name" in given and (given["type"] not in {"radio", "checkbox"} or "checked" in given):
            self.fields[given["name"] or ""] = given["value"] or ""
        elif tag == "textarea":
            self._area = given["name"] or ""
            self.fields[self._area] = ""

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self.fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            # Browsers drop the line end behind the tag.
            self.fields[self._area] = self.fields[self._area].removeprefix("\n")
            self._area = None


def page_routes() -> list[tuple[str, str, APIRoute]]:
    """The method and the path of every page and form."""
    found = [route for router in PAGES for route in router.routes if isinstance(route, APIRoute)]
    return [(method, route.path, route) for route in found for method in route.methods or ()]
