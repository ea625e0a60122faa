"""What all texts are made of: their parts, the names of their columns, how a reader quotes."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.domain.configuration.targets import Target
from shared.domain.profile.attributes import Mask, Path

_LONGEST_NAME = 50
"""With a number behind it, it is within what PostgreSQL keeps of a name."""
_TAKEN = frozenset(
    {"destination_id", "profile_id", "version", "revision", "body", "segment_membership", "identity_map", "place"}
)


@dataclass(frozen=True, slots=True)
class Text:
    """One kind of reader's. `blocks` are what is pasted, each for itself; `language` is theirs, as Markdown names it.

    `needs`: what the destination has to choose before the text works, if it has not.
    """

    title: str
    file_name: str
    language: str
    blocks: tuple[str, ...]
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A mapped attribute, and a name that each reader takes for it, unlike all others whatever its case."""

    path: Path
    name: str


def columns_of(target: Target) -> list[Column]:
    """One for each mapped attribute, by path."""
    taken = set(_TAKEN)
    return [Column(path, _name(path, taken)) for path in sorted(_leaves(target.mask))]


def by_namespace(target: Target) -> list[tuple[str, list[str]]]:
    """The mapped audiences: ids by namespace."""
    found: dict[str, list[str]] = {}
    for namespace, audience in sorted(target.mapped):
        found.setdefault(namespace, []).append(audience)
    return list(found.items())


def needs_metadata(target: Target) -> str:
    """What to say where a text reads `_export` and bodies have none."""
    if target.destination.include_export_metadata:
        return ""
    return f"includeExportMetadata, which {target.id} has not chosen: exports lack the member _export that this reads"


def single_quoted(text: str) -> str:
    """As standard SQL quotes a text."""
    return "'" + text.replace("'", "''") + "'"


def listed(lines: Iterable[str], indent: int) -> str:
    """One a line, with commas between."""
    return (",\n" + " " * indent).join(lines)


def _leaves(mask: Mask, path: Path = ()) -> Iterator[Path]:
    for key, below in mask.items():
        if below is None:
            yield (*path, key)
        else:
            yield from _leaves(below, (*path, key))


def _name(path: Path, taken: set[str]) -> str:
    plain = re.sub(r"[^A-Za-z0-9]+", "_", "_".join(path)).strip("_")[:_LONGEST_NAME]
    wanted = plain if plain[:1].isalpha() else f"attribute_{plain}".rstrip("_")
    name, number = wanted, 1
    while name.lower() in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name.lower())
    return name
