"""The mapping form as a browser sends it back: saved as it was shown it changes nothing, whatever is in it."""

import re
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.configuration.model import Configuration, Dataflow, MappedAudience, Triggers
from shared.domain.configuration.paths import RESERVED_MEMBERS, format_path
from shared.web.console.forms import Form
from shared.web.console.mapping import choices, form_of, parse

_KEYS = st.text(st.sampled_from('a"/~.0 \t\n\r\x0b\x85\u2028\u00a0é'), min_size=1, max_size=4)
_PATHS = st.lists(_KEYS, min_size=1, max_size=3).map(tuple).filter(lambda path: path[0] not in RESERVED_MEMBERS)
_AUDIENCES = st.tuples(st.sampled_from(["ups", "a/b", "%"]), st.text(st.sampled_from("ab/% "), min_size=1, max_size=3))


def sent_back(dataflow: Dataflow) -> Form:
    """What a browser makes of the page: a field of one line loses line ends, and those of others become CRLF."""
    shown = form_of(dataflow, dataflow.id)
    fields = [("attributes", re.sub("\r\n|\r|\n", "\r\n", shown.attributes))]
    fields += [("schedules", re.sub("\n", "\r\n", shown.schedules))]
    fields += [("others", shown.others), ("consent", re.sub("[\r\n]", "", shown.consent)), ("etag", shown.etag)]
    fields += [
        ("audience", each.value) for each in choices(Configuration(dataflows=[dataflow]), dataflow) if each.checked
    ]
    fields += [(f"trigger_{name}", "on") for name, on in dataflow.triggers.model_dump().items() if on]
    fields += [("skip_same_value_writes", "on")] if dataflow.skip_same_value_writes else []
    return Form(parse_qs(urlencode(fields), keep_blank_values=True))


@settings(max_examples=100)
@given(
    attributes=st.lists(_PATHS.map(format_path), unique=True, max_size=4),
    audiences=st.lists(_AUDIENCES, unique=True, max_size=4),
    consent=st.none() | _PATHS.map(format_path),
    times=st.none() | st.integers(1, 4 * 10**12),
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
    parsed, problems = parse(Form({"audience": ["ups/a"], "schedules": ["1970-01-01T00:00:01Z - a"]}), None, "d")
    assert (parsed.dataflow.audiences[0].active_from, problems) == (1_000, {})
    again, _ = parse(Form({"audience": ["ups/a"], "schedules": [""]}), parsed.dataflow, "d")
    assert not again.dataflow.audiences[0].scheduled
    untouched, _ = parse(Form({"audience": ["ups/a"]}), parsed.dataflow, "d")
    assert untouched.dataflow.audiences == parsed.dataflow.audiences
