"""The texts of a contract run by DuckDB and PostgreSQL, over exports in any order and more than once.

Both answer as the rule does.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.domain.exports.contract.contract import Contract, contract_of
from shared.domain.exports.export import Export
from tests.kit.builders import at, configuration, destination
from tests.kit.environments import VirtualEnvironment
from tests.kit.made_exports import exports_of

# The file is made by: (echo duckdb; echo fastjsonschema) | uv pip compile - --universal --python-version 3.11
# --generate-hashes --no-header --no-annotate -o requirements-contract.txt
ENVIRONMENT = VirtualEnvironment(".venv-contract", ("requirements-contract.txt",))
READERS = Path(__file__).with_name("contract_readers.py")
MADE = configuration(
    {
        "audiences": [{"id": "others", "mergePolicyId": "m"}, {"id": "it's", "mergePolicyId": "m"}],
        "destinations": [destination("crm", includeExportMetadata=True)],
        "dataflows": [
            {
                "id": "crm",
                "audiences": ["loyal", "it's", {"namespace": "a/b", "id": "c"}],
                "attributes": ["/person/name", "/it's/sl~1ash", '/say "no"/til~0de', "/0/*", "/left"],
            }
        ],
    }
)
ATTRIBUTES = 'profile_id, person_name, it_s_sl_ash, say_no_til_de, attribute_0, "left"'
QUERIES = {
    "profile_id, version": "profiles",
    "profile_id, namespace, audience": "members_of_crm",
    ATTRIBUTES: "attributes_of_crm",
}
"""Columns by table or view."""
EXPECTED_MEMBERS = [["ann", "a/b", "c"], ["ann", "ups", "loyal"], ["bob", "ups", "it's"]]
EXPECTED_ATTRIBUTES = [
    ["ann", {"firstName": "J3"}, 3, [1, None], True, None],
    ["bob", {"firstName": "J2"}, 2, [1, None], True, "here"],
]


@pytest.fixture(scope="module")
def contract() -> Contract:
    return contract_of(MADE, "crm")


@pytest.fixture(scope="module")
def exports() -> list[Export]:
    """Of two profiles, the oldest last, some of them twice."""

    def change(profile: str, second: int, **fields: Any) -> dict[str, Any]:
        statuses: dict[str, dict[str, str]] = fields.pop("members")
        return {
            "profileId": profile,
            "occurredAt": at(second),
            "attributes": {
                "person": {"name": {"firstName": f"J{second}"}},
                "it's": {"sl/ash": second},
                'say "no"': {"til~de": [1, None]},
                "0": {"*": True},
                **fields,
            },
            "segmentMembership": {
                namespace: {
                    key: {"status": status, "lastQualificationTime": at(second)} for key, status in each.items()
                }
                for namespace, each in statuses.items()
            },
        }

    ann = [
        change("ann", 1, members={"ups": {"loyal": "realized", "it's": "realized"}}),
        change("ann", 2, members={"ups": {"it's": "exited", "others": "realized"}}, left="gone"),
        change("ann", 3, members={"a/b": {"c": "realized"}}, left=None),
    ]
    bob = [change("bob", 2, members={"ups": {"it's": "realized", "loyal": "exited"}}, left="here")]
    made = [*exports_of(MADE, ann), *exports_of(MADE, bob)]
    shuffled = [*made, *made[::2]]
    random.Random(7).shuffle(shuffled)
    return shuffled


def greatest(exports: Sequence[Export]) -> list[list[Any]]:
    kept: dict[str, int] = {}
    for export in exports:
        kept[export.profile_id] = max(export.version, kept.get(export.profile_id, 0))
    return [list(each) for each in sorted(kept.items())]


def block_of(contract: Contract, title: str) -> tuple[str, ...]:
    return next(text.blocks for text in contract.texts if text.title == title)


def test_duckdb_keeps_the_greatest(contract: Contract, exports: list[Export], tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    lines = [export.body.decode() for export in exports]
    for number in (0, 1):
        (folder / f"{number}.ndjson").write_text("\n".join(lines[number::2]) + "\n", encoding="utf-8")
    asked = {
        "folder": str(tmp_path),
        "schema": {"$schema": "http://json-schema.org/draft-07/schema#", **contract.body_schema},
        "bodies": [json.loads(line) for line in lines],
        "blocks": block_of(contract, "DuckDB"),
        "queries": [
            f"SELECT {columns} FROM {table} ORDER BY {columns}"  # noqa: S608 - the test's own
            for columns, table in QUERIES.items()
        ],
    }
    done = subprocess.run(
        [ENVIRONMENT.python(Path(sys.executable)), READERS],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    profiles, members, attributes = json.loads(done.stdout)
    assert profiles == greatest(exports)
    assert members == EXPECTED_MEMBERS
    assert [[row[0], *(None if each is None else json.loads(each) for each in row[1:])] for row in attributes] == (
        EXPECTED_ATTRIBUTES
    )


class Server:
    """A PostgreSQL that answers at a socket in its folder, and nowhere else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rows(self, *statements: str, **values: Any) -> list[list[Any]]:
        """What the last statement gives; `values` stand where its text has `:name`."""
        quoted = {name: "'" + str(each).replace("'", "''") + "'" for name, each in values.items()}
        variables = [word for name, each in quoted.items() for word in ("-v", f"{name}={each}")]
        done = subprocess.run(
            ["psql", "-XqAt", "-h", self._folder, "-U", "tester", "-v", "ON_ERROR_STOP=1", *variables, "postgres"],
            input="\n".join(f"{each};" for each in statements),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not all(map(shutil.which, ("initdb", "pg_ctl", "psql"))):
        pytest.skip("no PostgreSQL (initdb, pg_ctl, psql) is on the PATH")
    # It refuses to run as root, and the path of a socket has a hundred characters at most.
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if user:
        shutil.chown(folder, user)

    def run(*command: str | Path) -> None:
        done = subprocess.run(
            command, cwd=folder, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-2000:]

    try:
        run("initdb", "-D", folder / "data", "-U", "tester", "-A", "trust", "-N")
        options = f"-c listen_addresses='' -k {folder} -c fsync=off"
        run("pg_ctl", "-D", folder / "data", "-w", "-s", "-l", folder / "log", "-o", options, "start")
        try:
            folder.chmod(0o711)
            yield Server(folder)
        finally:
            run("pg_ctl", "-D", folder / "data", "-w", "-s", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def test_postgresql_keeps_the_greatest(contract: Contract, exports: list[Export], postgresql: Server) -> None:
    """Event by event, and then from a table of events."""
    table, one, many, *views = block_of(contract, "PostgreSQL")
    postgresql.rows(table)
    for export in exports:
        postgresql.rows(
            one,
            destination_id="crm",
            profile_id=export.profile_id,
            version=export.version,
            revision=export.config_revision,
            body=export.body.decode(),
        )
    queries = [
        f"SELECT json_build_array({columns}) FROM {table} ORDER BY profile_id, json_build_array({columns})::text"  # noqa: S608
        for columns, table in QUERIES.items()
    ]
    for _ in range(2):
        postgresql.rows(*views)
        assert [postgresql.rows(query) for query in queries] == [
            greatest(exports),
            EXPECTED_MEMBERS,
            EXPECTED_ATTRIBUTES,
        ]
        events = ", ".join(
            f"('crm', '{each.profile_id}', {each.version}, {each.config_revision}, "
            f"'{each.body.decode().replace(chr(39), chr(39) * 2)}'::jsonb)"
            for each in exports
        )
        postgresql.rows(
            "TRUNCATE profiles",
            "DROP TABLE IF EXISTS exports",
            f"CREATE TABLE exports AS SELECT * FROM (VALUES {events}) "  # noqa: S608 - the test's own
            "AS each (destination_id, profile_id, version, revision, body)",
            many,
            many,
        )
