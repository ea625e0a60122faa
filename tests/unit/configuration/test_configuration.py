"""The declarative file: what may be written, what is refused, and that each refusal names its place."""

import json
import random
import zlib
from typing import Any

import pytest

from shared.adapters.tables.service.chunks import ROW_LIMIT, from_chunks, row_size, to_chunks
from shared.domain.configuration.model import AS_STORED, Configuration, ConfigurationFile, parse_configuration_file
from shared.domain.configuration.plan import plan_changes
from shared.errors import ConfigurationError
from shared.services.configuration.edit import as_file
from tests.kit.builders import configuration, destination

MISSING = "expected this field, which is missing"
UNKNOWN = "expected no such field (is its name misspelt?)"
NOT_EMPTY = "expected a string that is not empty"
THEN = 1_700_000_000_000
INSTANT = "expected a date and time with a zone, such as 2026-01-11T21:24:39Z"


def with_audience(**fields: Any) -> dict[str, Any]:
    return {"audiences": [{"id": "first"}, {"id": "a", **fields}]}


def with_destination(**fields: Any) -> dict[str, Any]:
    return {"destinations": [destination("d", **fields)]}


def with_authentication(**fields: Any) -> dict[str, Any]:
    sas = {"type": "sas", "namespace": "contoso", "keyName": "send", "secret": {"name": "profile-relay-d"}}
    return with_destination(authentication=sas | fields)


def with_dataflow(**fields: Any) -> dict[str, Any]:
    return {"destinations": [destination("d")], "dataflows": [{"id": "d", **fields}]}


def refusal(document: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as error:
        parse_configuration_file(document)
    return str(error.value).split("\n")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (None, "expected an object"),
        ([], "expected an object"),
        ({"audience": []}, f"/audience: {UNKNOWN}"),
        ({"audiences": None}, "/audiences: expected an array"),
        ({"audiences": {"a": {}}}, "/audiences: expected an array"),
        ({"audiences": ["a"]}, "/audiences/0: expected an object"),
        ({"audiences": [{}]}, f"/audiences/0/id: {MISSING}"),
        ({"destinations": [{"id": "d"}]}, f"/destinations/0/eventHubName: {MISSING}"),
        ({"dataflows": [{"audiences": []}]}, f"/dataflows/0/id: {MISSING}"),
        (with_audience(id=7), "/audiences/1/id: expected a string"),
        (with_audience(id=""), f"/audiences/1/id: {NOT_EMPTY}"),
        (with_audience(id="x" * 513), "/audiences/1/id: expected at most 512 characters"),
        (with_audience(namespace=""), f"/audiences/1/namespace: {NOT_EMPTY}"),
        (with_audience(origin="upload"), "/audiences/1/origin: expected 'segmentation' or 'custom-upload'"),
        (with_audience(createdAt="yesterday"), f"/audiences/1/createdAt: {INSTANT}"),
        (with_audience(updatedAt="2026-01-11T21:24:39"), f"/audiences/1/updatedAt: {INSTANT}"),
        (with_audience(mergePolicy="default"), f"/audiences/1/mergePolicy: {UNKNOWN}"),
        (with_destination(id="Upper"), "/destinations/0/id: expected a name that matches ^[a-z0-9]"),
        (with_destination(id="-d"), "/destinations/0/id: expected a name that matches"),
        (with_destination(id="d\n"), "/destinations/0/id: expected a name that matches"),
        (with_destination(id="d" * 64), "/destinations/0/id: expected a name that matches"),
        (with_destination(name=""), f"/destinations/0/name: {NOT_EMPTY}"),
        (with_destination(eventHubName=None), "/destinations/0/eventHubName: expected a string"),
        (with_destination(includeSegmentNames="yes"), "/destinations/0/includeSegmentNames: expected true or false"),
        (with_destination(includeSegmentTimestamps=1), "/destinations/0/includeSegmentTimestamps: expected true or"),
        (with_destination(onlyMappedAudiences="no"), "/destinations/0/onlyMappedAudiences: expected true or false"),
        (with_destination(includeExportMetadata=1), "/destinations/0/includeExportMetadata: expected true or false"),
        (with_destination(keyed="yes"), "/destinations/0/keyed: expected true or false"),
        (with_destination(consumerCheckpoints=""), f"/destinations/0/consumerCheckpoints: {NOT_EMPTY}"),
        (
            with_destination(consumerCheckpoints="https://contoso.blob.core.windows.net/crm?sig=x"),
            "/destinations/0/consumerCheckpoints: expected a URL without a shared access signature, which is a secret",
        ),
        (with_destination(retentionHours=0), "/destinations/0/retentionHours: expected"),
        (with_destination(retentionHours=2_161), "/destinations/0/retentionHours: expected"),
        (with_destination(retentionHours="24"), "/destinations/0/retentionHours: expected a whole number"),
        (with_destination(staticProperties=["Table"]), "/destinations/0/staticProperties: expected an object"),
        (with_destination(staticProperties={"Table": ""}), f"/destinations/0/staticProperties/Table: {NOT_EMPTY}"),
        (with_destination(staticProperties={"Table": 1}), "/destinations/0/staticProperties/Table: expected a string"),
        (with_destination(staticProperties={"Table": "a\nb"}), "/destinations/0/staticProperties/Table: expected"),
        (with_destination(staticProperties={"1": "a"}), "/destinations/0/staticProperties/1"),
        (
            with_destination(staticProperties={"ProfileID": "a"}),
            "/destinations/0/staticProperties: expected names of your own, but each export has ProfileID already",
        ),
        (
            with_destination(staticProperties={"a": "1", "A": "2"}),
            "/destinations/0/staticProperties: expected each name once",
        ),
        (
            with_destination(staticProperties={f"p{n}": "1" for n in range(21)}),
            "/destinations/0/staticProperties: expected at most 20 properties",
        ),
        (with_destination(identityNamespaces="email"), "/destinations/0/identityNamespaces: expected an array"),
        (with_destination(identityNamespaces=["a", ""]), f"/destinations/0/identityNamespaces/1: {NOT_EMPTY}"),
        (
            with_destination(identityNamespaces=["a", "b", "a"]),
            "/destinations/0/identityNamespaces: expected each namespace once",
        ),
        (with_destination(**{"a/b": 1}), f"/destinations/0/a~1b: {UNKNOWN}"),
        (with_destination(authentication="sas"), "/destinations/0/authentication: expected an object"),
        (with_destination(authentication={}), "/destinations/0/authentication: expected an object with a type"),
        (
            with_authentication(type="key"),
            "/destinations/0/authentication: expected its type to be one of 'sas', 'managed-identity'",
        ),
        (
            with_authentication(namespace="169.254.169.254"),
            "/destinations/0/authentication/namespace: expected the name of an Event Hubs namespace",
        ),
        (with_authentication(key="k"), f"/destinations/0/authentication/key: {UNKNOWN}"),
        (
            with_authentication(secret={"name": "database-password"}),
            "/destinations/0/authentication/secret/name: expected a name that matches ^profile-relay-",
        ),
        (
            with_authentication(secret={"name": "profile-relay-d", "version": "../other"}),
            "/destinations/0/authentication/secret/version: expected a name that matches",
        ),
        (
            with_destination(authentication={"type": "managed-identity"}),
            f"/destinations/0/authentication/namespace: {MISSING}",
        ),
        (with_dataflow(audiences="a"), "/dataflows/0/audiences: expected an array"),
        (with_dataflow(audiences=["a", ""]), f"/dataflows/0/audiences/1/id: {NOT_EMPTY}"),
        (with_dataflow(audiences=["a", 3]), "/dataflows/0/audiences/1: expected an object"),
        (with_dataflow(audiences=[{"namespace": "ups"}]), f"/dataflows/0/audiences/0/id: {MISSING}"),
        (
            with_dataflow(audiences=[{"id": "a", "mappingCreatedAt": "now"}]),
            f"/dataflows/0/audiences/0/mappingCreatedAt: {INSTANT}",
        ),
        (with_dataflow(attributes=["/a", 3]), "/dataflows/0/attributes/1: expected a string"),
        (with_dataflow(attributes=["a..b"]), "/dataflows/0/attributes/0: expected a path without empty keys"),
        (
            with_dataflow(attributes=["a.emails[0]"]),
            "/dataflows/0/attributes/0: expected a path that ends at the array",
        ),
        (with_dataflow(attributes=["/a" * 64]), "/dataflows/0/attributes/0: expected at most 63 keys"),
        (with_dataflow(consent="/a" * 64), "/dataflows/0/consent: expected at most 63 keys"),
        (with_dataflow(attributes=["identityMap"]), "/dataflows/0/attributes/0: expected an attribute: identityMap"),
        (with_dataflow(triggers={"audiences": True}), f"/dataflows/0/triggers/audiences: {UNKNOWN}"),
        (with_dataflow(triggers={"identity": "off"}), "/dataflows/0/triggers/identity: expected true or false"),
        (with_dataflow(consent="consents..val"), "/dataflows/0/consent: expected a path without empty keys"),
        (with_dataflow(consent=True), "/dataflows/0/consent: expected a string"),
        (with_dataflow(enabled=None), "/dataflows/0/enabled: expected true or false"),
    ],
)
def test_a_refusal_names_the_place_and_what_was_expected_there(document: Any, problem: str) -> None:
    problems = refusal(document)
    assert any(line.startswith(problem) for line in problems), problems


@pytest.mark.parametrize("field", ["createdAt", "updatedAt"])
@pytest.mark.parametrize("time", [1.5, True, [], {}])
def test_a_time_that_is_neither_text_nor_whole_milliseconds_is_refused(field: str, time: Any) -> None:
    [problem] = refusal(with_audience(**{field: time}))
    assert problem.startswith(f"/audiences/1/{field}: expected ")


def test_several_problems_have_a_line_each() -> None:
    document = {"audiences": [{}], "destinations": [{"id": "d", "name": 1, "eventHubName": "h"}], "flows": []}
    assert refusal(document) == [
        f"/audiences/0/id: {MISSING}",
        "/destinations/0/name: expected a string",
        f"/flows: {UNKNOWN}",
    ]


def test_a_secret_in_place_of_a_setting_name_is_refused_and_not_repeated() -> None:
    secret = "Endpoint=sb://relay.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0"
    [problem] = refusal(with_destination(connection=secret))
    assert problem.startswith("/destinations/0/connection: expected a name that matches")
    assert "c2VjcmV0" not in problem


@pytest.mark.parametrize(
    ("document", "repeated"),
    [
        ({"audiences": [{"id": "a"}, {"id": "b"}, {"id": "a", "namespace": "ups"}]}, "/audiences/2 repeats ups/a"),
        ({"destinations": [destination("d"), destination("d", name="other")]}, "/destinations/1 repeats d"),
        ({"dataflows": [{"id": "d"}, {"id": "e"}, {"id": "d"}]}, "/dataflows/2 repeats d"),
        (with_dataflow(audiences=["a", {"id": "a"}]), "/dataflows/0/audiences/1 repeats ups/a"),
        (with_dataflow(attributes=["/a/b", "/a", "a.b"]), "/dataflows/0/attributes/2 repeats /a/b"),
    ],
)
def test_duplicates_are_refused_by_their_place(document: Any, repeated: str) -> None:
    [problem] = refusal(document)
    assert problem.endswith(f"expected each entry once, but {repeated}")


def test_the_same_id_may_be_in_several_namespaces() -> None:
    both = [{"id": "a"}, {"id": "a", "namespace": "custom"}]
    file = parse_configuration_file({"audiences": both, **with_dataflow(audiences=both)})
    assert [audience.key for audience in file.audiences] == [("ups", "a"), ("custom", "a")]
    assert [audience.key for audience in file.dataflows[0].audiences] == [("ups", "a"), ("custom", "a")]


def test_a_mapped_audience_may_be_written_as_its_id_alone() -> None:
    short, long = (parse_configuration_file(with_dataflow(audiences=a)) for a in (["a"], [{"id": "a"}]))
    assert short == long
    assert short.dataflows[0].audiences[0].key == ("ups", "a")


@pytest.mark.parametrize(
    ("time", "milliseconds"),
    [
        (1_768_132_800_123, 1_768_132_800_123),
        ("2026-01-11T12:00:00.123Z", 1_768_132_800_123),
        ("2026-01-11T13:00:00.1239+01:00", 1_768_132_800_123),
        ("2026-01-11T12:00:00+0000", 1_768_132_800_000),
    ],
)
def test_times_are_iso_8601_or_epoch_milliseconds(time: int | str, milliseconds: int) -> None:
    mapped = {"id": "a", "mappingCreatedAt": time, "mappingUpdatedAt": time}
    file = parse_configuration_file(with_audience(createdAt=time, updatedAt=time) | with_dataflow(audiences=[mapped]))
    assert (file.audiences[1].created_at, file.audiences[1].updated_at) == (milliseconds, milliseconds)
    mapping = file.dataflows[0].audiences[0]
    assert (mapping.mapping_created_at, mapping.mapping_updated_at) == (milliseconds, milliseconds)


def test_attributes_are_kept_as_json_pointers() -> None:
    file = parse_configuration_file(with_dataflow(attributes=["person.name", "/a.b/c~1d", "e"], consent="consents.val"))
    assert file.dataflows[0].attributes == ["/person/name", "/a.b/c~1d", "/e"]
    assert file.dataflows[0].consent == "/consents/val"


def test_what_is_left_out_has_the_documented_default() -> None:
    file = parse_configuration_file({"$schema": "configuration.schema.json", **with_audience(), **with_dataflow()})
    audience, target, dataflow = file.audiences[1], file.destinations[0], file.dataflows[0]
    assert (audience.namespace, audience.origin, audience.merge_policy_id) == ("ups", "segmentation", None)
    assert (target.connection, target.include_segment_names, target.include_segment_timestamps) == (
        "EVENTHUBS",
        False,
        False,
    )
    assert (dataflow.triggers.audience, dataflow.triggers.attribute, dataflow.triggers.identity) == (True, True, True)
    assert (dataflow.enabled, dataflow.skip_same_value_writes, dataflow.audiences) == (True, False, [])
    assert dataflow.consent is None


@pytest.mark.parametrize(
    "authentication",
    [
        {"type": "managed-identity", "namespace": "contoso"},
        {"type": "managed-identity", "namespace": "contoso", "clientId": "4c0f8a5e-0000-4000-8000-000000000001"},
        {"type": "sas", "namespace": "contoso", "keyName": "send", "secret": {"name": "profile-relay-d"}},
        {
            "type": "sas",
            "namespace": "contoso",
            "keyName": "send",
            "secret": {"name": "profile-relay-d", "version": "0a1b"},
            "keyHint": "dWI=",
            "keyFingerprint": "0123456789ab",
        },
    ],
)
def test_how_a_destination_is_connected_reads_back_the_same(authentication: dict[str, Any]) -> None:
    stored = configuration(with_destination(authentication=authentication))
    given = stored.destinations[0].authentication
    assert given is not None
    assert given.namespace == "contoso.servicebus.windows.net"
    assert Configuration.model_validate_json(stored.model_dump_json(by_alias=True, exclude_defaults=True)) == stored
    assert hash(given) == hash(given.model_copy())


def test_another_key_is_no_other_look_of_the_exports() -> None:
    before = configuration(with_authentication() | {"dataflows": [{"id": "d"}]})
    rotated = with_authentication(secret={"name": "profile-relay-d", "version": "2"})
    planned = plan_changes(before, parse_configuration_file(rotated), THEN + 1)
    assert planned.changes_something
    assert planned.configuration.revisions == before.revisions
    assert planned.backfills == []


def test_an_empty_file_is_an_empty_configuration() -> None:
    assert parse_configuration_file({}) == ConfigurationFile()


def test_what_is_stored_reads_back_the_same() -> None:
    stored = configuration(
        {
            **with_audience(
                name="Ärzte \U0001f600", mergePolicyId="m", origin="custom-upload", createdAt=1, updatedAt=2
            ),
            **with_dataflow(
                audiences=["a"],
                attributes=["a.b"],
                consent="c.d",
                triggers={"identity": False},
                skipSameValueWrites=True,
            ),
        }
    )
    document = stored.model_dump_json(by_alias=True, exclude_defaults=True)
    assert Configuration.model_validate_json(document) == stored
    members = {"revision", "audiences", "destinations", "dataflows", "revisions", "requestedBackfills"}
    assert set(json.loads(document)) == members


def test_the_size_that_the_app_is_made_for_fits_one_row() -> None:
    """100 destinations with 250 audiences and 50 attributes each, of a catalog of 2,000; random ids compress badly."""
    rng = random.Random(1)
    catalog = [
        {
            "id": f"{rng.getrandbits(128):032x}",
            "name": f"Customers in region {rng.randrange(10_000)} with intent {rng.randrange(10_000)}",
            "mergePolicyId": f"{rng.randrange(5):032x}",
            "createdAt": 1_700_000_000_000 + rng.randrange(10**10),
            "updatedAt": 1_700_000_000_000 + rng.randrange(10**10),
        }
        for _ in range(2_000)
    ]
    dataflows = [
        {
            "id": f"d{number}",
            "audiences": [
                {"id": audience["id"], "mappingCreatedAt": mapped_at, "mappingUpdatedAt": mapped_at}
                for audience, mapped_at in zip(rng.sample(catalog, 250), range(THEN, THEN + 250), strict=True)
            ],
            "attributes": [f"/_tenant/section{rng.randrange(100)}/attribute{n}" for n in range(50)],
        }
        for number in range(100)
    ]
    destinations = [destination(f"d{number}", description=f"Campaign {number}") for number in range(100)]
    revisions = {f"d{number}": number for number in range(100)}
    stored = Configuration.model_validate(
        {"audiences": catalog, "destinations": destinations, "dataflows": dataflows, "revisions": revisions}
    )
    document = zlib.compress(stored.model_dump_json(by_alias=True, exclude_defaults=True).encode())
    row: dict[str, str | bytes | int] = {
        "PartitionKey": "configuration",
        "RowKey": "current",
        **to_chunks("document", document),
    }
    assert row_size(row) < ROW_LIMIT - 1024
    assert from_chunks("document", row) == document


def test_what_an_earlier_release_took_does_not_stop_the_app() -> None:
    audience = {"id": "a", "activeFrom": 1}
    dataflow = {"id": "d", "audiences": [audience], "attributes": ["/a" * 64, "/b"], "consent": "/c" * 70}
    stored = Configuration.model_validate_json(json.dumps({"dataflows": [dataflow]}), context=AS_STORED)
    assert as_file(stored).dataflows[0].attributes == ["/a" * 64, "/b"]
