"""The form that says what is activated to a destination."""

from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote

from pydantic import ValidationError

from shared.domain.configuration.model import Configuration, Dataflow, MappedAudience
from shared.domain.profile.memberships import AudienceKey
from shared.web.console.forms import Form, line_of, text_of
from shared.web.console.problems_by_field import Problems, problems_of
from shared.web.console.schedules import schedule_lines, with_schedules
from shared.web.etags import etag_of

_FIELDS = {"audiences": "others", "attributes": "attributes", "consent": "consent"}


@dataclass(frozen=True, slots=True)
class MappingForm:
    """`dataflow` as the form has it, as far as that can be one; the texts are as they were typed: `others` and
    `attributes` those audiences and paths that have no box.

    `etag` is of the dataflow that the form was made from, empty where there was none; `shape` is the key of the profile
    whose shape the preview shows, empty where there is none.
    """

    dataflow: Dataflow
    attributes: str
    others: str
    consent: str
    etag: str
    profile_id: str = ""
    schedules: str = ""
    shape: str = ""


def form_of(dataflow: Dataflow | None, destination_id: str) -> MappingForm:
    """As it is stored."""
    shown = dataflow or Dataflow(id=destination_id)
    return MappingForm(
        shown,
        "",
        "",
        line_of(shown.consent or ""),
        "" if dataflow is None else etag_of(dataflow),
        schedules=schedule_lines(shown.audiences),
    )


def parse(form: Form, before: Dataflow | None, destination_id: str) -> tuple[MappingForm, Problems]:
    """What was sent, and what is wrong with it. What the form does not show stays as it was."""
    shown = before or Dataflow(id=destination_id)
    mapped = {audience.key: audience for audience in shown.audiences}
    typed = list(map(typed_audience, form.lines("others")))
    wanted = dict.fromkeys([*map(_key, form.all("audience")), *typed])
    # In the order that they are stored in: a form that is saved as it was changes nothing.
    keys = [*(key for key in mapped if key in wanted), *(key for key in wanted if key not in mapped)]
    audiences, problems = [], Problems()
    for key in keys:
        try:
            audiences.append(mapped.get(key) or MappedAudience(namespace=key[0], id=key[1]))
        except ValidationError:
            what = "use ids, or namespace/id, of at most 512 characters"
            problems.add("others", f"line {typed.index(key) + 1}: {what}" if key in typed else what)
    if form.checked("schedules"):
        audiences, wrong = with_schedules(audiences, form.lines("schedules"))
        if wrong:
            problems.add("schedules", *wrong)
    ticked, named = list(map(text_of, form.all("attribute"))), list(map(text_of, form.lines("attributes")))
    document = {
        "id": destination_id,
        "audiences": [],
        # Those that were typed first: a problem with one names its line.
        "attributes": named + ticked,
        "consent": text_of(form.text("consent")) or None,
        "triggers": {name: form.checked(f"trigger_{name}") for name in ("audience", "attribute", "identity")},
        "skipSameValueWrites": form.checked("skip_same_value_writes"),
        "enabled": shown.enabled,
    }
    try:
        dataflow = Dataflow.model_validate(document)
    except ValidationError as error:
        problems.merge(problems_of(error, _FIELDS))
        dataflow = Dataflow.model_validate(document | {"attributes": list(filter(_is_path, ticked)), "consent": None})
        named = []
    dataflow.audiences = audiences
    paths = dict.fromkeys(dataflow.attributes[len(named) :] + dataflow.attributes[: len(named)])
    kept = [each for each in shown.attributes if each in paths]
    dataflow.attributes = list(dict.fromkeys([*kept, *paths]))
    parsed = MappingForm(
        dataflow,
        form.raw("attributes") if problems else "",
        form.raw("others") if problems else "",
        form.text("consent"),
        form.text("etag"),
        form.raw("profile_id"),
        form.raw("schedules"),
        form.text("shape"),
    )
    return parsed, problems


def _is_path(text: str) -> bool:
    with suppress(ValidationError):
        return bool(Dataflow.model_validate({"id": "any", "attributes": [text]}).attributes)
    return False


def _key(value: str) -> AudienceKey:
    namespace, _, audience_id = value.partition("/")
    return unquote(namespace), unquote(audience_id)


def typed_audience(line: str) -> AudienceKey:
    """An id, which is in `ups`, or namespace/id."""
    namespace, slash, audience_id = line.partition("/")
    return (namespace.strip(), audience_id.strip()) if slash else ("ups", line)


def dataflow_of(configuration: Configuration, destination_id: str) -> Dataflow | None:
    """The destination's dataflow, if it has one."""
    return next((each for each in configuration.dataflows if each.id == destination_id), None)
