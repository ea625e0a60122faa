"""PostgreSQL and DuckDB: a table with one row a profile, which whatever comes late does not change."""

from collections.abc import Callable

from shared.domain.configuration.paths import format_path
from shared.domain.configuration.targets import Target
from shared.domain.exports.contract.texts.text import (
    Column,
    Text,
    by_namespace,
    columns_of,
    listed,
    needs_metadata,
    single_quoted,
)

_KEPT = """\
ON CONFLICT (destination_id, profile_id) DO UPDATE
SET version = excluded.version, revision = excluded.revision, body = excluded.body
WHERE (profiles.version, profiles.revision) < (excluded.version, excluded.revision)
"""
_LATEST = """\
row_number() OVER (
        PARTITION BY destination_id, profile_id ORDER BY version DESC, revision DESC
    ) AS place"""


def postgresql(target: Target) -> Text:
    """A statement for one event, one for a table of events, and views."""
    table = """\
CREATE TABLE IF NOT EXISTS profiles (
    destination_id text NOT NULL,
    profile_id text NOT NULL,
    version bigint NOT NULL,
    revision bigint NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (destination_id, profile_id)
);
"""
    one = f"""\
INSERT INTO profiles (destination_id, profile_id, version, revision, body)
VALUES (:destination_id, :profile_id, :version, :revision, :body)
{_KEPT}"""
    many = f"""\
INSERT INTO profiles (destination_id, profile_id, version, revision, body)
SELECT destination_id, profile_id, version, revision, body FROM (
    SELECT destination_id, profile_id, version, revision, body, {_LATEST} FROM exports
) AS latest WHERE place = 1
{_KEPT.rstrip()};
"""
    members = f"""\
DROP VIEW IF EXISTS {_view(target, "members")};
CREATE VIEW {_view(target, "members")} AS
SELECT profile_id, namespace.key AS namespace, audience.key AS audience
FROM profiles, jsonb_each(body -> 'segmentMembership') AS namespace, jsonb_each(namespace.value) AS audience
WHERE destination_id = {single_quoted(target.id)} AND audience.value ->> 'status' = 'realized'
    AND {_mapped(target, "namespace.key", "audience.key")};
"""

    def at(column: Column) -> str:
        return f"body #> ARRAY[{', '.join(map(single_quoted, column.path))}]"

    blocks = [table, one, many, members, *_attributes(target, at)]
    return Text("PostgreSQL", "postgresql.sql", "sql", tuple(blocks))


def duckdb(target: Target) -> Text:
    """The same from files of bodies, a line each. Types are declared: inferred ones drop audiences unseen so far."""
    table = """\
CREATE TABLE IF NOT EXISTS profiles (
    destination_id VARCHAR,
    profile_id VARCHAR,
    version BIGINT,
    revision BIGINT,
    body JSON,
    PRIMARY KEY (destination_id, profile_id)
);
"""
    many = f"""\
INSERT INTO profiles (destination_id, profile_id, version, revision, body)
SELECT destination_id, profile_id, version, revision, body FROM (
    SELECT destination_id, profile_id, version, revision, body, {_LATEST} FROM (
        SELECT
            body ->> '/_export/destinationId' AS destination_id,
            body ->> '/_export/profileId' AS profile_id,
            CAST(body ->> '/_export/profileVersion' AS BIGINT) AS version,
            CAST(body ->> '/_export/configRevision' AS BIGINT) AS revision,
            body
        FROM read_json('exports/*.ndjson', format = 'newline_delimited', records = false, columns = {{body: 'JSON'}})
    ) AS exports
) AS latest WHERE place = 1
{_KEPT.rstrip()};
"""
    members = f"""\
DROP VIEW IF EXISTS {_view(target, "members")};
CREATE VIEW {_view(target, "members")} AS
SELECT profile_id, namespace, audience.key AS audience
FROM (
    SELECT profile_id, membership.key AS namespace, unnest(map_entries(membership.value)) AS audience
    FROM (
        SELECT profile_id, unnest(map_entries(CAST(
            body -> '/segmentMembership' AS MAP(VARCHAR, MAP(VARCHAR, JSON))
        ))) AS membership
        FROM profiles WHERE destination_id = {single_quoted(target.id)}
    ) AS namespaces
) AS audiences
WHERE (audience.value ->> '/status') = 'realized' AND {_mapped(target, "namespace", "audience.key")};
"""

    def at(column: Column) -> str:
        return f"body -> {single_quoted(format_path(column.path))}"

    blocks = [table, many, members, *_attributes(target, at)]
    return Text("DuckDB", "duckdb.sql", "sql", tuple(blocks), needs_metadata(target))


def _attributes(target: Target, at: Callable[[Column], str]) -> list[str]:
    columns = columns_of(target)
    if not columns:
        return []
    selected = ["profile_id", *(f'{at(each)} AS "{each.name}"' for each in columns)]
    return [
        f"""\
DROP VIEW IF EXISTS {_view(target, "attributes")};
CREATE VIEW {_view(target, "attributes")} AS
SELECT
    {listed(selected, 4)}
FROM profiles WHERE destination_id = {single_quoted(target.id)};
"""
    ]


def _view(target: Target, kind: str) -> str:
    """Of this destination; PostgreSQL would cut a longer name."""
    return f"{kind}_of_{target.id.replace('-', '_')}"[:63]


def _mapped(target: Target, namespace: str, audience: str) -> str:
    among = (
        f"{namespace} = {single_quoted(name)} AND {audience} IN ({', '.join(map(single_quoted, ids))})"
        for name, ids in by_namespace(target)
    )
    return f"({' OR '.join(f'({each})' for each in among) or 'false'})"
