"""The mapping form as a browser sends it back: saved as it was shown it changes nothing, whatever is in it."""

import re
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.configuration.model import Audience, Configuration, Dataflow, MappedAudience, Triggers
from shared.domain.configuration.paths import RESERVED_MEMBERS, format_path
from shared.domain.configuration.seen_paths import seen_paths
from shared.domain.instants import YEAR_2000_MS
from shared.domain.jsonvalue import JsonObject
from shared.web.console.choices import MOST_SUGGESTED, attribute_choices, audience_choices
from shared.web.console.forms import Form
from shared.web.console.mapping import form_of, parse
from shared.web.console.mapping_changes import clauses

_KEYS = st.text(st.sampled_from('a"/~.0 \t\n\r\x0b\x85\u2028\u00a0é'), min_size=1, max_size=4)
_PATHS = st.lists(_KEYS, min_size=1, max_size=3).map(tuple).filter(lambda path: path[0] not in RESERVED_MEMBERS)
_AUDIENCES = st.tuples(st.sampled_from(["ups", "a/b", "%"]), st.text(st.sampled_from("ab/% "), min_size=1, max_size=3))


def sent_back(dataflow: Dataflow) -> Form:
    """What a browser makes of the page: a field of one line loses line ends, and those of others become CRLF."""
    shown = form_of(dataflow, dataflow.id)
    attributes, _ = attribute_choices(dataflow, dataflow, [], 0)
    fields = [("attribute", each.value) for each in attributes if each.checked]
    fields += [("attributes", shown.attributes)]
    fields += [("schedules", re.sub("\n", "\r\n", shown.schedules))]
    fields += [("others", shown.others), ("consent", re.sub("[\r\n]", "", shown.consent)), ("etag", shown.etag)]
    fields += [
        ("audience", each.value)
        for each in audience_choices(Configuration(dataflows=[dataflow]), dataflow, dataflow)
        if each.checked
    ]
    fields += [(f"trigger_{name}", "on") for name, on in dataflow.triggers.model_dump().items() if on]
    fields += [("skip_same_value_writes", "on")] if dataflow.skip_same_value_writes else []
    return Form(parse_qs(urlencode(fields), keep_blank_values=True))


@settings(max_examples=100)
@given(
    attributes=st.lists(_PATHS.map(format_path), unique=True, max_size=4),
    audiences=st.lists(_AUDIENCES, unique=True, max_size=4),
    consent=st.none() | _PATHS.map(format_path),
    times=st.none() | st.integers(YEAR_2000_MS + 1, 4 * 10**12),
    trigger=st.booleans(),
    skip=st.booleans(),
)
def test_a_form_that_is_saved_as_it_was_changes_nothing(
    attributes: list[str],
    audiences: list[tuple[str, str]],
    consent: str | None,
    times: int | None,
    trigger: bool,
    skip: bool,
) -> None:
    dataflow = Dataflow(
        id="d",
        attributes=attributes,
        audiences=[
            MappedAudience(namespace=namespace, id=key, active_until=times, active_from=times and times - 1)
            for namespace, key in audiences
        ],
        consent=consent,
        triggers=Triggers(attribute=trigger),
        skip_same_value_writes=skip,
    )
    form, problems = parse(sent_back(dataflow), dataflow, "d")
    assert (form.dataflow, dict(problems)) == (dataflow, {})


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("person.name", "/person/name"),
        (" /person/name ", "/person/name"),
        ('"/Email "', "/Email "),
        ('"/a', '/"~1a'),
        ('"/a\\u2028b"', "/a\u2028b"),
        ("/a\u2028b", "/a\u2028b"),
    ],
)
def test_what_is_typed(typed: str, path: str) -> None:
    form, problems = parse(Form({"attributes": [typed], "consent": [typed]}), None, "d")
    assert (form.dataflow.attributes, form.dataflow.consent, dict(problems)) == ([path], path, {})


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("2026-12-01T00:00:00Z ups/a", "line 1: expected from, until and an audience"),
        ("2026-12-01T00:00:00Z - ups/b", "line 1: expected an audience that is mapped, got ups/b"),
        ("2026-12-01T00:00:00Z 2026-11-01T00:00:00Z a", "expected activeUntil to be later than activeFrom"),
        ("soon - a", "line 1: /activeFrom: expected"),
    ],
)
def test_a_schedule_that_cannot_be_one_is_told(line: str, problem: str) -> None:
    form = Form({"audience": ["ups/a"], "schedules": [line]})
    parsed, problems = parse(form, None, "d")
    assert problem in problems["schedules"][0]
    assert parsed.schedules == line


def test_a_schedule_is_taken_from_the_form_and_given_up_there() -> None:
    parsed, problems = parse(Form({"audience": ["ups/a"], "schedules": ["2026-12-01T00:00:01Z - a"]}), None, "d")
    assert (parsed.dataflow.audiences[0].active_from, problems) == (1_796_083_201_000, {})
    again, _ = parse(Form({"audience": ["ups/a"], "schedules": [""]}), parsed.dataflow, "d")
    assert not again.dataflow.audiences[0].scheduled
    untouched, _ = parse(Form({"audience": ["ups/a"]}), parsed.dataflow, "d")
    assert untouched.dataflow.audiences == parsed.dataflow.audiences


def test_what_was_ticked_stays_ticked_where_something_typed_is_wrong() -> None:
    before = Dataflow(id="d", attributes=["/b", "/a"])
    fields = {"attribute": ["/a", "/b", "/c"], "attributes": ["/d\nlist[0]"]}
    form, problems = parse(Form(fields), before, "d")
    assert (form.dataflow.attributes, form.attributes) == (["/b", "/a", "/c"], "/d\nlist[0]")
    assert problems["attributes"][0].startswith("line 2: expected a path that ends at the array")


def test_a_tick_that_is_no_path_any_more_is_told_and_the_others_stay() -> None:
    """An earlier release took such paths, so the form has boxes for them."""
    form, problems = parse(Form({"attribute": ["/a" * 64, "/b"]}), Dataflow(id="d", attributes=["/b"]), "d")
    assert (form.dataflow.attributes, list(problems)) == (["/b"], ["attributes"])


def test_text_that_cannot_be_encoded_stays_as_it_was_typed() -> None:
    form, problems = parse(Form({"attributes": ['"/\\ud800"'], "consent": ['"\\udfff"']}), None, "d")
    assert (form.dataflow.attributes, problems) == (['/"~1\\ud800"'], {})
    form.dataflow.model_dump_json().encode()


def test_a_page_of_release_0_1_sends_all_paths_as_lines() -> None:
    form, _ = parse(Form({"attributes": ["/a\r\n/c"]}), Dataflow(id="d", attributes=["/a", "/b"]), "d")
    assert form.dataflow.attributes == ["/a", "/c"]


def test_each_audience_says_where_it_is_from_and_whether_it_is_mapped() -> None:
    catalog = [Audience(id="x", name="Loyal"), Audience(id="y", namespace="crm", name="Zealous"), Audience(id="new")]
    before = Dataflow(id="d", audiences=[MappedAudience(id="gone"), MappedAudience(id="x")])
    form = Dataflow(id="d", audiences=[MappedAudience(id="x"), MappedAudience(id="y", namespace="crm")])
    found = audience_choices(Configuration(audiences=catalog, dataflows=[before]), before, form)
    assert [(each.label, each.hint, each.group, each.stored, each.checked, each.first) for each in found] == [
        ("gone", "ups/gone, not in the catalog", "ups", True, False, True),
        ("Loyal", "ups/x", "ups", True, True, True),
        ("new", "ups/new", "ups", False, False, False),
        ("Zealous", "crm/y", "crm", False, True, True),
    ]


def test_attributes_that_are_exported_already_are_not_suggested() -> None:
    profiles: list[JsonObject] = [
        {"person": {"name": {"first": "J", "last": "D"}}, "age": 7, "tags": []},
        {"age": "7", "no": None},
    ]
    seen = seen_paths(profiles)
    assert [(each.path, each.profiles, list(each.kinds)) for each in seen] == [
        ("/age", 2, ["number", "text"]),
        ("/person/name/first", 1, ["text"]),
        ("/person/name/last", 1, ["text"]),
        ("/tags", 1, ["list"]),
    ]
    mapped = Dataflow(id="d", attributes=["/person", "/age", "/typo"])
    found, more = attribute_choices(mapped, mapped, seen, 2)
    assert [(each.label, each.hint, each.first) for each in found] == [
        ("/person", "object", True),
        ("/age", "number or text · in 2 of 2", True),
        ("/typo", "not seen lately", True),
        ("/tags", "list · in 1 of 2", False),
    ]
    assert more == 0


def test_there_is_an_end_to_suggestions() -> None:
    seen = seen_paths([{"orders": {f"{number:04}": 1 for number in range(MOST_SUGGESTED + 3)}}])
    found, more = attribute_choices(None, Dataflow(id="d"), seen, 1)
    assert (len(found), more) == (MOST_SUGGESTED, 3)


@pytest.mark.parametrize(
    ("after", "removed", "backfill", "said"),
    [
        ({}, [], "", []),
        ({"audiences": ["b", "c"]}, [], "", ["2 audiences added, 2 removed"]),
        (
            {"audiences": ["a", "z", "c"]},
            [],
            "up to 10,500 events",
            ["1 audience added", "a backfill of up to 10,500 events"],
        ),
        ({"audiences": ["a"]}, [], "", ["1 audience removed"]),
        ({"attributes": ["/n"]}, ["/x"], "", ["1 attribute added, 1 removed", "removes /x from the contract"]),
        (
            {"attributes": []},
            ["/x", "/y", "/z"],
            "",
            ["1 attribute removed", "removes 3 attributes from the contract"],
        ),
        ({"consent": "/c"}, [], "", ["the consent changes"]),
        ({"skipSameValueWrites": True}, [], "", ["what makes an export changes"]),
        (
            {"audiences": [{"id": "a", "activeUntil": "2026-12-01T00:00:00Z"}, {"id": "z"}]},
            [],
            "",
            ["schedules change"],
        ),
    ],
)
def test_what_saving_would_do_in_a_line(
    after: dict[str, Any], removed: list[str], backfill: str, said: list[str]
) -> None:
    before = {"id": "d", "audiences": ["a", "z"], "attributes": ["/x"]}
    was, will_be = (Dataflow.model_validate(each) for each in (before, before | after))
    assert clauses(was, will_be, removed, backfill) == said


def test_the_first_mapping_adds_all_of_it() -> None:
    assert clauses(None, Dataflow(id="d", audiences=[MappedAudience(id="a")]), []) == ["1 audience added"]
