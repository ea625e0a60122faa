"""Applying a declarative file: what changes, which times are kept, and whose exports are told apart by a revision."""

import copy
from typing import Any

import pytest

from shared.domain.configuration.model import Audience, Configuration, MappedAudience, parse_configuration_file
from shared.domain.configuration.plan import Plan, plan_changes
from shared.errors import ConfigurationError
from tests.kit.builders import configuration, destination

THEN, NOW = 1_700_000_000_000, 1_800_000_000_000
Document = dict[str, Any]

BASE: Document = {
    "audiences": [
        {"id": "mapped", "name": "Mapped", "mergePolicyId": "P"},
        {"id": "sibling", "name": "Same merge policy", "mergePolicyId": "P"},
        {"id": "other", "name": "Mapped elsewhere", "mergePolicyId": "Q"},
        {"id": "unrelated", "name": "Unrelated", "mergePolicyId": "R"},
        {"id": "loner", "name": "No merge policy"},
    ],
    "destinations": [destination("d"), destination("e"), destination("idle")],
    "dataflows": [
        {"id": "d", "audiences": ["mapped", "uncatalogued"], "attributes": ["/person/name"]},
        {"id": "e", "audiences": ["other", "loner"]},
    ],
}


def applied(current: Configuration, document: Document, now: int = NOW, *, prune: bool = False) -> Plan:
    return plan_changes(current, parse_configuration_file(document), now, prune=prune)


def edited(*path: str | int, **fields: Any) -> Document:
    """BASE with `fields` set in the entry at `path`."""
    document = copy.deepcopy(BASE)
    entry: Any = document
    for key in path:
        entry = entry[key]
    entry.update(fields)
    return document


def extended(kind: str, entry: Any) -> Document:
    document = copy.deepcopy(BASE)
    document[kind].append(entry)
    return document


def actions(planned: Plan) -> dict[str, str]:
    return {f"{change.kind} {change.id}": change.action for change in planned.changes}


def test_the_first_file_creates_everything() -> None:
    planned = applied(Configuration(), BASE)
    assert set(actions(planned).values()) == {"created"}
    assert list(actions(planned))[:1] == ["audience ups/mapped"]
    assert len(planned.changes) == 5 + 3 + 2
    assert planned.configuration.revision == 1
    assert planned.configuration.revisions == {"d": 1, "e": 1, "idle": 1}


@pytest.mark.parametrize("document", [BASE, {}, extended("audiences", {"id": "dated", "createdAt": 5, "updatedAt": 6})])
@pytest.mark.parametrize("prune", [False, True])
def test_applying_the_same_file_again_changes_nothing(document: Document, prune: bool) -> None:
    first = configuration(document, THEN)
    again = applied(first, document, prune=prune)
    assert not again.changes_something
    assert again.configuration == first
    assert set(actions(again).values()) <= {"unchanged"}


@pytest.mark.parametrize(
    ("document", "grown"),
    [
        # choice and mapping
        (edited("dataflows", 0, audiences=["mapped", "uncatalogued", "sibling"]), {"d"}),
        (edited("dataflows", 0, audiences=["uncatalogued"]), {"d"}),
        (edited("dataflows", 0, attributes=["/person/name", "/person/age"]), {"d"}),
        (edited("dataflows", 0, attributes=[]), {"d"}),
        (edited("dataflows", 0, triggers={"identity": False}), {"d"}),
        (edited("dataflows", 0, skipSameValueWrites=True), {"d"}),
        (edited("dataflows", 0, consent="/consents/marketing"), {"d"}),
        (edited("dataflows", 0, audiences=[{"id": "mapped", "mappingUpdatedAt": 7}, "uncatalogued"]), {"d"}),
        (edited("dataflows", 1, triggers={"audience": False}), {"e"}),
        (extended("dataflows", {"id": "idle", "audiences": ["mapped"]}), {"idle"}),
        # looks
        (edited("destinations", 0, includeSegmentNames=True), {"d"}),
        (edited("destinations", 1, includeSegmentTimestamps=True), {"e"}),
        (edited("destinations", 2, includeSegmentTimestamps=True), {"idle"}),
        (edited("destinations", 0, onlyMappedAudiences=True), {"d"}),
        (edited("destinations", 1, identityNamespaces=["email"]), {"e"}),
        (edited("destinations", 1, identityNamespaces=[]), {"e"}),
        (edited("destinations", 0, includeExportMetadata=True), {"d"}),
        (edited("destinations", 1, staticProperties={"Table": "Profiles"}), {"e"}),
        (edited("destinations", 0, keyed=True), {"d"}),
        # the catalog
        (edited("audiences", 0, name="Renamed"), {"d"}),
        (edited("audiences", 0, updatedAt=7), {"d"}),
        (edited("audiences", 1, name="Renamed"), {"d"}),
        (edited("audiences", 2, name="Renamed"), {"e"}),
        (edited("audiences", 4, name="Renamed"), {"e"}),
        (edited("audiences", 1, mergePolicyId="Q"), {"d", "e"}),
        (edited("audiences", 3, mergePolicyId="Q"), {"e"}),
        (edited("audiences", 0, mergePolicyId="Q"), {"d", "e"}),
        (extended("audiences", {"id": "new", "mergePolicyId": "P"}), {"d"}),
        (extended("audiences", {"id": "uncatalogued"}), {"d"}),
        (edited("audiences", 3, name="Renamed"), set()),
        (extended("audiences", {"id": "new"}), set()),
        (extended("audiences", {"id": "mapped", "namespace": "custom"}), set()),
        # nothing that an export shows
        (edited("destinations", 0, description="For the campaign team"), set()),
        (edited("destinations", 0, name="Renamed"), set()),
        (edited("destinations", 0, consumerCheckpoints="https://contoso.blob.core.windows.net/crm"), set()),
        (edited("destinations", 0, retentionHours=168), set()),
        (extended("destinations", destination("f")), {"f"}),
        (edited("destinations", 0, description="x", onlyMappedAudiences=False, identityNamespaces=None), set()),
    ],
)
def test_a_revision_grows_with_what_its_exports_are_made_from(document: Document, grown: set[str]) -> None:
    first = configuration(BASE, THEN)
    planned = applied(first, document)
    assert planned.changes_something
    assert planned.configuration.revision == 2
    before = first.revisions
    assert {name for name, now in planned.configuration.revisions.items() if now != before.get(name)} == grown
    assert set(planned.configuration.revisions.values()) <= {1, 2}


@pytest.mark.parametrize(
    ("index", "fields", "grown"),
    [(0, {"name": "Renamed"}, {"d"}), (1, {"name": "Renamed"}, set()), (1, {"mergePolicyId": "Q"}, {"e"})],
)
def test_unmapped_audiences_do_not_matter_where_mapped_ones_alone_are_exported(
    index: int, fields: Document, grown: set[str]
) -> None:
    before = edited("destinations", 0, onlyMappedAudiences=True)
    after = copy.deepcopy(before)
    after["audiences"][index] |= fields
    revisions = applied(configuration(before, THEN), after).configuration.revisions
    assert {name for name, revision in revisions.items() if revision == 2} == grown


def test_the_order_of_namespaces_makes_no_other_exports() -> None:
    first = configuration(edited("destinations", 0, identityNamespaces=["email", "ecid"]), THEN)
    planned = applied(first, edited("destinations", 0, identityNamespaces=["ecid", "email"]))
    assert planned.changes_something
    assert planned.configuration.revisions == first.revisions


def test_a_revision_never_goes_back_even_if_its_destination_is_made_again() -> None:
    without_d = {**BASE, "destinations": BASE["destinations"][1:], "dataflows": BASE["dataflows"][1:]}
    current, revisions = Configuration(), []
    for document in [BASE, edited("dataflows", 0, attributes=[]), without_d, BASE, without_d, BASE]:
        current = applied(current, document, prune=True).configuration
        revisions.append(current.revisions.get("d"))
    assert revisions == [1, 2, None, 4, None, 6]
    assert current.revisions["e"] == 1


def test_an_entry_left_out_of_the_file_stays() -> None:
    first = configuration(BASE, THEN)
    planned = applied(first, {"destinations": [destination("d", description="new")]})
    assert actions(planned).pop("destination d") == "changed"
    assert list(actions(planned).values()).count("kept, not in the file") == 9
    assert planned.configuration.dataflows == first.dataflows
    assert planned.configuration.audiences == first.audiences
    assert planned.configuration.destinations[1:] == first.destinations[1:]


def test_prune_removes_what_the_file_leaves_out() -> None:
    planned = applied(configuration(BASE, THEN), {"destinations": [destination("e")]}, prune=True)
    assert [name for name, action in actions(planned).items() if action != "removed"] == ["destination e"]
    left = planned.configuration
    assert (left.audiences, [entry.id for entry in left.destinations], left.dataflows) == ([], ["e"], [])
    assert left.revisions == {"e": 2}


@pytest.mark.parametrize(("prune", "there_are"), [(False, "a, b"), (True, "b")])
def test_a_dataflow_without_a_destination_is_refused(prune: bool, there_are: str) -> None:
    first = configuration({"destinations": [destination("b"), destination("a")]}, THEN)
    file = {"destinations": [destination("b")], "dataflows": [{"id": "b"}, {"id": "c"}]}
    with pytest.raises(ConfigurationError) as error:
        applied(first, file, prune=prune)
    assert str(error.value) == f"/dataflows/1/id: expected the id of a destination, got 'c'; there are {there_are}"


@pytest.mark.parametrize(
    ("fields", "before", "times"),
    [
        ({}, None, [NOW, NOW]),
        ({"createdAt": 5}, None, [5, NOW]),
        ({"createdAt": 5, "updatedAt": 6}, None, [5, 6]),
        ({}, {"id": "a"}, [THEN, THEN]),
        ({}, {"id": "a", "createdAt": 5, "updatedAt": 6}, [5, 6]),
        ({"name": "new"}, {"id": "a"}, [THEN, NOW]),
        ({"mergePolicyId": "new"}, {"id": "a", "createdAt": 5, "updatedAt": 6}, [5, NOW]),
        ({"origin": "custom-upload"}, {"id": "a"}, [THEN, NOW]),
        ({"name": "new", "updatedAt": 8}, {"id": "a"}, [THEN, 8]),
        ({}, {"id": "a", "namespace": "custom", "createdAt": 5}, [NOW, NOW]),
    ],
)
def test_an_audience_has_its_times_as_given_else_as_they_were_else_now(
    fields: Document, before: Document | None, times: list[int]
) -> None:
    current = configuration({"audiences": [before]}, THEN) if before else Configuration()
    audiences: list[Audience] = applied(current, {"audiences": [{"id": "a", **fields}]}).configuration.audiences
    [audience] = [audience for audience in audiences if audience.namespace == "ups"]
    assert [audience.created_at, audience.updated_at] == times


@pytest.mark.parametrize(
    ("mapped", "before", "times"),
    [
        ("a", [], [NOW, NOW]),
        ({"id": "a", "mappingCreatedAt": 5}, [], [5, 5]),
        ({"id": "a", "mappingCreatedAt": 5, "mappingUpdatedAt": 6}, [], [5, 6]),
        ("a", ["a", "b"], [THEN, THEN]),
        ("a", [{"id": "a", "mappingCreatedAt": 5, "mappingUpdatedAt": 6}], [5, 6]),
        ({"id": "a", "mappingUpdatedAt": 8}, ["a"], [THEN, 8]),
        ("a", ["b"], [NOW, NOW]),
        ("a", [{"id": "a", "namespace": "custom"}], [NOW, NOW]),
    ],
)
def test_a_mapping_has_its_times_as_given_else_as_they_were_else_now(
    mapped: Any, before: list[Any], times: list[int]
) -> None:
    def flow(*audiences: Any) -> Document:
        return {"destinations": [destination("d")], "dataflows": [{"id": "d", "audiences": list(audiences)}]}

    planned = applied(configuration(flow(*before), THEN), flow("z", mapped))
    mapping: MappedAudience = planned.configuration.dataflows[0].audiences[1]
    assert [mapping.mapping_created_at, mapping.mapping_updated_at] == times


def many(number: int, prefix: str = "x") -> list[str]:
    return [f"{prefix}{n}" for n in range(number)]


@pytest.mark.parametrize(
    ("fields", "warnings"),
    [
        ({}, []),
        ({"audiences": []}, ["dataflow d: maps no audience, so nothing is exported"]),
        (
            {"audiences": ["known", "x1", {"id": "known", "namespace": "custom"}]},
            ["dataflow d: maps audiences that are not in the catalog: custom/known, ups/x1"],
        ),
        ({"attributes": many(50)}, []),
        ({"attributes": many(51)}, ["dataflow d: 51 attributes; the app is sized for 50"]),
        ({"audiences": many(250, "known")}, []),
        ({"audiences": many(251, "known")}, ["dataflow d: 251 audiences; the app is sized for 250"]),
    ],
)
def test_what_is_probably_not_meant_is_taken_with_a_warning(fields: Document, warnings: list[str]) -> None:
    document = {
        "audiences": [{"id": audience} for audience in ["known", *many(251, "known")]],
        "destinations": [destination("d")],
        "dataflows": [{"id": "d", "audiences": ["known"], **fields}],
    }
    planned = applied(Configuration(), document)
    assert planned.warnings == warnings
    assert applied(planned.configuration, document).warnings == warnings, "a second time, too"


@pytest.mark.parametrize(("number", "warnings"), [(100, []), (101, ["101 destinations: the app is sized for 100"])])
def test_more_destinations_than_the_app_is_sized_for_are_taken_with_a_warning(number: int, warnings: list[str]) -> None:
    names = many(number)
    document = {
        "audiences": [{"id": "a"}],
        "destinations": [destination(name) for name in names],
        "dataflows": [{"id": name, "audiences": ["a"]} for name in names],
    }
    assert applied(Configuration(), document).warnings == warnings


def test_a_destination_without_a_dataflow_is_warned_about() -> None:
    [warning] = applied(Configuration(), {"destinations": [destination("idle")]}).warnings
    assert warning == "destination idle: has no dataflow, so nothing is exported to it"


def test_times_of_zero_are_times() -> None:
    document = {"audiences": [{"id": "a", "createdAt": 0, "updatedAt": "1970-01-01T00:00:00Z"}]}
    (audience,) = applied(Configuration(), document).configuration.audiences
    assert (audience.created_at, audience.updated_at) == (0, 0)


def test_audiences_whose_names_run_together_are_two() -> None:
    document = {"audiences": [{"namespace": "a", "id": "b/c"}, {"namespace": "a/b", "id": "c"}]}
    assert len(applied(Configuration(), document).configuration.audiences) == 2
