"""Every app setting that the app reads is in the README's table, and the table has no others."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from local.stack import LocalStack
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
STORAGE = "UseDevelopmentStorage=true"


class Recorder(Mapping[str, str]):
    """An environment that remembers what was asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def read_by_settings() -> set[str]:
    vault = "https://contoso.vault.azure.net"
    environment = Recorder({"RELAY_STORAGE": STORAGE, "EVENTHUBS": "Endpoint=sb://localhost", "KEY_VAULT_URI": vault})
    settings = Settings.from_environment(environment)
    settings.tables()
    settings.queues()
    settings.blobs()
    settings.event_hubs("EVENTHUBS")
    settings.key_vault()
    assert settings.is_local
    assert (settings.local_secrets_file, settings.local_broker_control_port) == (None, None)
    return environment.asked


def read_by_triggers() -> set[str]:
    text = "".join(path.read_text() for path in (ROOT / "shared/triggers").glob("*.py"))
    return set(re.findall(r"%([A-Z_]+)%", text)) | set(re.findall(r'connection="([A-Z_]+)"', text))


def section() -> str:
    """The settings table and what is said around it."""
    return README.split("## Run it in Azure")[1].split("\n## ")[0]


def in_the_table() -> set[str]:
    return set(re.findall(r"^\| `([A-Z_]+)` \|", section(), re.MULTILINE))


def test_what_is_read_is_in_the_table_and_nothing_else() -> None:
    read = read_by_settings() | read_by_triggers()
    assert {name for name in read if "__" not in name and not name.startswith("LOCAL_")} == in_the_table()


def test_what_only_the_local_stack_sets_is_explained_where_it_is_used() -> None:
    local = {name for name in read_by_settings() if name.startswith("LOCAL_")}
    assert local == {"LOCAL_SECRETS_FILE", "LOCAL_BROKER_CONTROL_PORT"}
    assert all(f"`{name}`" in (ROOT / "docs/connections.md").read_text() for name in local)
    assert local <= LocalStack(ROOT).settings.keys()


def test_every_way_of_connecting_as_an_identity_is_named() -> None:
    identity = {name for name in read_by_settings() if "__" in name}
    assert identity == set(re.findall(r"`([A-Z_]+__[A-Za-z]+)`", section()))
    assert len(identity) == 7


def test_nothing_else_reads_the_environment() -> None:
    """One place hands it to `Settings`; a name that is read elsewhere would escape the tests above."""
    reading = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "shared").rglob("*.py")
        if re.search(r"os\.environ|getenv", path.read_text())
    ]
    assert sorted(reading) == ["shared/bootstrap.py", "shared/triggers/admin.py"]
    assert (ROOT / "shared/bootstrap.py").read_text().count("os.environ") == 1
    of_triggers = re.findall(r"(\w+)\(os\.environ\)", (ROOT / "shared/triggers/admin.py").read_text())
    assert of_triggers == ["app_service_authentication", "is_local"]


@pytest.mark.parametrize("name", sorted(in_the_table()))
def test_a_default_that_the_table_gives_is_the_apps(name: str) -> None:
    """A default stands in brackets, as `(30)`."""
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
    default = re.search(r"\(`?([0-9.,]+)`?\)", row)
    if default is not None:
        given = Settings.from_environment({name: default[1]})
        assert replace(given, environment={}) == Settings.from_environment({})
