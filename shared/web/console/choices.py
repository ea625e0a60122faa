"""What the mapping form offers to tick: the audiences of the catalog, the attributes that profiles are seen to have."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from shared.domain.configuration.model import Configuration, Dataflow
from shared.domain.configuration.paths import parse_path
from shared.domain.configuration.seen_paths import SeenPath
from shared.domain.profile.memberships import AudienceKey
from shared.web.console.forms import line_of

MOST_SUGGESTED = 200
"""Attributes: of objects whose keys are data, such as order numbers, there is no end."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A box to tick; `value` is what the form sends for it. `first`: it is mapped, or about to be."""

    value: str
    label: str
    hint: str
    group: str
    stored: bool
    checked: bool

    @property
    def first(self) -> bool:
        return self.stored or self.checked


def audience_choices(configuration: Configuration, before: Dataflow | None, form: Dataflow) -> list[Choice]:
    """Every audience of the catalog, and those that are mapped without being in it; by name."""
    stored = {audience.key for audience in before.audiences} if before else set()
    checked = {audience.key for audience in form.audiences}
    catalog = {audience.key: audience.name for audience in configuration.audiences}
    names = dict.fromkeys((*stored, *checked), "") | catalog
    found = [
        Choice(
            _value(key),
            names[key] or key[1],
            "/".join(key) if key in catalog else f"{'/'.join(key)}, not in the catalog",
            key[0],
            key in stored,
            key in checked,
        )
        for key in names
    ]
    return sorted(found, key=lambda choice: (choice.label.lower(), choice.hint))


def attribute_choices(
    before: Dataflow | None, form: Dataflow, seen: Sequence[SeenPath], profiles: int
) -> tuple[list[Choice], int]:
    """Those that are mapped, and those that were `seen` in so many recent `profiles` and are not exported yet; how many
    more were seen than are offered.
    """
    stored = list(before.attributes) if before else []
    checked = set(form.attributes)
    mapped = list(dict.fromkeys([*stored, *form.attributes]))
    paths = [parse_path(each) for each in mapped]
    offered = [each for each in seen if not any(parse_path(each.path)[: len(path)] == path for path in paths)]
    kinds = {each.path: each for each in seen}
    found = [
        Choice(line_of(each), each, _seen(kinds, each, profiles), "", each in stored, each in checked)
        for each in [*mapped, *(each.path for each in offered[:MOST_SUGGESTED])]
    ]
    return found, max(0, len(offered) - MOST_SUGGESTED)


def _seen(kinds: dict[str, SeenPath], path: str, profiles: int) -> str:
    """Of an object nothing is said: its members were seen."""
    if not profiles:
        return ""
    if path in kinds:
        return f"{' or '.join(kinds[path].kinds)} · in {kinds[path].profiles} of {profiles}"
    return "object" if any(each.startswith(f"{path}/") for each in kinds) else "not seen lately"


def _value(key: AudienceKey) -> str:
    return "/".join(quote(part, safe="") for part in key)
