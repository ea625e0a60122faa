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
    trigger=st.booleans(),
    skip=st.booleans(),
)
def test_a_form_that_is_saved_as_it_was_changes_nothing(
    attributes: list[str], audiences: list[tuple[str, str]], consent: str | None, trigger: bool, skip: bool
) -> None:
    dataflow = Dataflow(
        id="d",
        attributes=attributes,
        audiences=[MappedAudience(namespace=namespace, id=key) for namespace, key in audiences],
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
