"""What is wrong with a form: all of it at once, beside the fields and in a summary, and nothing typed is lost."""

import re
from html import unescape
from typing import Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from shared.errors import ConfigurationError, PreconditionFailedError, StorageError
from shared.ports.connections import Verified
from shared.web.console.problems_by_field import Problems, problems_of
from tests.kit.console import Console, fields_of, text_of

PAGE = "/console/destinations/d"
CONNECT = "/console/destinations"
SUBSCRIPTIONS = "/console/alerts/subscriptions"
KEY = "not-to-be-shown-anywhere"


def beside(page: str) -> set[str]:
    """The fields that something is said beside."""
    return set(re.findall(r'id="([\w-]+)-problem"', page))


def in_summary(page: str) -> dict[str, str]:
    """Of each link of the summary: the field that it leads to, and its label."""
    (summary,) = re.findall(r"<div[^>]* data-summary>.*?</div>", page, re.DOTALL)
    assert 'role="alert" tabindex="-1" autofocus' in summary
    return dict(re.findall(r'<a href="#([\w-]+)">([^<]*)</a>', summary))


def element(page: str, name: str) -> str:
    """The tag of what has this id."""
    (tag,) = re.findall(rf'<[a-z]+ [^>]*\bid="{name}"[^>]*>', page)
    return str(tag)


@pytest.mark.parametrize(
    ("path", "sent", "wrong"),
    [
        (
            CONNECT,
            {"way": "standard", "id": "No!", "name": "", "namespace": "", "key": "", "retention_hours": "0"},
            {"id", "name", "namespace", "key", "key_name", "retention_hours"},
        ),
        (
            CONNECT,
            {"way": "connection-string", "connection_string": "x", "id": "d", "name": ""},
            {"connection_string", "id", "name"},
        ),
        (CONNECT, {"way": "carrier pigeon", "id": "s", "name": "S"}, {"way"}),
        (
            f"{PAGE}/edit",
            {"name": "", "event_hub_name": "", "static_properties": "x", "retention_hours": "9999"},
            {"name", "event_hub_name", "static_properties", "retention_hours"},
        ),
        (
            f"{PAGE}/connection",
            {"way": "managed-identity", "namespace": "https://x", "client_id": "?"},
            {"namespace", "client_id"},
        ),
        (
            f"{PAGE}/mapping",
            {"attributes": "/x\nlist[0]", "others": "ups/", "consent": "a..b", "schedules": "soon"},
            {"attributes", "others", "consent", "schedules"},
        ),
        (
            f"{PAGE}/resync",
            {"resync_scope": "key-range", "resync_first": "no", "resync_last": ""},
            {"resync_first", "resync_last"},
        ),
        (
            f"{PAGE}/resync",
            {"resync_scope": "saved-since", "resync_since": "x", "resync_if_running": "?"},
            {"resync_since", "resync_if_running"},
        ),
        (
            SUBSCRIPTIONS,
            {"url": "", "format": "carrier", "threshold_dead-rows": "many"},
            {"url", "event", "format", "threshold_dead-rows"},
        ),
        ("/console/why", {"profile_id": "", "change": "{"}, {"profile_id", "change"}),
    ],
)
async def test_all_that_is_wrong_is_said_at_once(
    console: Console, path: str, sent: dict[str, str], wrong: set[str]
) -> None:
    before = console.world.configuration.document
    answer = await console.submit(path, sent)
    text_of(answer, 422)
    page = answer.text
    assert beside(page) == wrong
    assert in_summary(page).keys() == wrong
    for name in wrong:
        assert re.search(rf'aria-describedby="[^"]*\b{name}-problem\b', element(page, name))
    kept = fields_of(page)
    typed = {name: value for name, value in sent.items() if name in kept.keys() - {"key", "connection_string"}}
    assert {name: kept[name] for name in typed if kept[name] != typed[name]}.keys() <= {"resync_if_running", "format"}
    assert console.world.configuration.document == before


async def test_the_summary_names_fields_as_the_page_does_in_its_order(console: Console) -> None:
    answer = await console.submit(f"{PAGE}/edit", {"event_hub_name": "", "name": "", "description": "kept"})
    assert list(in_summary(answer.text).items()) == [("name", "Name"), ("event_hub_name", "Event hub name")]
    assert "Nothing was changed. Correct these: Name : fill this in Event hub name : fill this in" in text_of(
        answer, 422
    )
    assert fields_of(answer.text)["description"] == "kept"


@pytest.mark.parametrize(
    ("path", "typed", "leads_to"),
    [
        (f"{PAGE}/edit", {"name": "Mine"}, f"{PAGE}/settings?done=edited"),
        (f"{PAGE}/mapping", {"attributes": "/mine"}, f"{PAGE}/mapping?done=saved"),
        (
            f"{PAGE}/connection",
            {"way": "managed-identity", "namespace": "contoso"},
            f"{PAGE}/settings?done=reconnected",
        ),
    ],
)
async def test_what_was_typed_stays_where_somebody_else_was_faster(
    console: Console, path: str, typed: dict[str, str], leads_to: str
) -> None:
    console.world.verifier.found["d"] = Verified(("0",))
    stale = fields_of((await console.get(path)).text) | typed
    await console.submit(f"{PAGE}/edit", fields_of((await console.get(f"{PAGE}/edit")).text) | {"name": "Theirs"})
    theirs = fields_of((await console.get(f"{PAGE}/mapping")).text) | {"attributes": "/theirs", "audience": "ups/a"}
    await console.submit(f"{PAGE}/mapping", theirs)
    before = console.world.configuration.document
    refused = await console.submit(path, stale)
    told = "Somebody else changed it since you opened the page; what you typed is here still. Look at it as it is now"
    assert told in text_of(refused, 412)
    assert console.world.configuration.document == before
    again = fields_of(refused.text)
    assert again == again | {name: value for name, value in typed.items() if name != "attributes"}
    done = await console.submit(path, again)
    if done.status_code == 200:  # what consumers lose is asked about first
        done = await console.submit(path, fields_of(done.text))
    assert (done.status_code, done.headers["location"]) == (303, leads_to)


async def test_what_storage_did_not_take_is_sent_again_as_it_was_typed(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = fields_of((await console.get(f"{PAGE}/edit")).text) | {
        "name": "Mine & <yours>",
        "description": "two\nlines",
    }
    save = console.world.configuration.save

    async def failing(*_: Any) -> None:
        raise StorageError("table Configuration", "could not save", "HTTP 503")

    monkeypatch.setattr(console.world.configuration, "save", failing)
    answer = await console.submit(f"{PAGE}/edit", fields | {"key": KEY})
    assert "What you typed is kept on this page, but for keys" in text_of(answer, 503)
    assert KEY not in answer.text
    monkeypatch.setattr(console.world.configuration, "save", save)
    done = await console.submit(
        f"{PAGE}/edit", {name: unescape(value) for name, value in fields_of(answer.text).items()}
    )
    assert done.headers["location"] == f"{PAGE}/settings?done=edited"
    assert (await console.world.configuration.load()).configuration.destination("d").name == "Mine & <yours>"


@pytest.mark.parametrize(
    ("way", "needed"), [("standard", True), ("connection-string", False), ("managed-identity", True)]
)
async def test_what_must_be_filled_in_follows_the_chosen_way(console: Console, way: str, needed: bool) -> None:
    page = (await console.submit(f"{CONNECT}/check", {"way": way})).text
    assert ("aria-required" in element(page, "event_hub_name")) == needed


class _Given(BaseModel):
    lines: list[int] = Field(default_factory=list)
    least: int = Field(default=5, ge=1, le=9)


def test_problems_find_their_fields_however_many_there_are() -> None:
    fields = {"lines": "area", "least": "number"}
    with pytest.raises(ValidationError) as refused:
        _Given.model_validate({"lines": ["x"] * 8, "least": 0, "else": 1})
    problems = problems_of(refused.value, fields)
    assert [len(problems["area"]), problems["area"][7][:8], problems["number"]] == [
        8,
        "line 8: ",
        ["expected at least 1"],
    ]
    assert problems.show("area", "Area").count("line") == 5
    assert problems.show("area", "Area").endswith("; and 3 more")


def test_what_the_page_does_not_show_is_said_in_the_summary_alone() -> None:
    error = ConfigurationError(
        "/attributes/1: expected a path: so\n/connection/key: expected this\nelsewhere\n/x: what"
    )
    problems = problems_of(error, {"attributes": "attributes", "connection": "way", "connection/key": "key"})
    assert dict(problems) == {
        "attributes": ["line 2: expected a path: so"],
        "key": ["expected this"],
        "": ["elsewhere", "/x: what"],
    }
    assert problems.show("attributes", "Attribute paths") == "line 2: expected a path: so"
    assert problems.entries == [("attributes", "Attribute paths", "line 2: expected a path: so")]
    assert problems.of_no_field == ["expected this", "elsewhere", "/x: what"]
    assert (problems.status, problems_of(PreconditionFailedError("x"), {}).status) == (422, 412)
    assert not Problems()
