"""The pins are in step with pyproject.toml. `make lock` makes them; this needs no network."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DEPLOYED, DEVELOPMENT = PROJECT["project"]["dependencies"], PROJECT["dependency-groups"]["dev"]


def pins(name: str) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize(
    ("file", "dependencies"),
    [("requirements.txt", DEPLOYED), ("requirements-dev.txt", [*DEPLOYED, *DEVELOPMENT])],
)
def test_each_dependency_is_pinned_at_a_version_that_it_allows(file: str, dependencies: list[str]) -> None:
    pinned = pins(file)
    for requirement in map(Requirement, dependencies):
        assert requirement.name in pinned, f"{file}: run make lock"
        assert pinned[requirement.name] in requirement.specifier, f"{file}: run make lock"


@pytest.mark.parametrize("file", ["requirements-dev.txt", "requirements-conformance.txt"])
def test_what_is_tested_is_what_is_deployed(file: str) -> None:
    deployed, tested = pins("requirements.txt"), pins(file)
    assert {name: version for name, version in tested.items() if deployed.get(name, version) != version} == {}


def test_development_has_all_that_is_deployed() -> None:
    assert pins("requirements.txt").keys() <= pins("requirements-dev.txt").keys()


def test_nothing_for_development_is_deployed() -> None:
    only_for_development = {Requirement(each).name for each in DEVELOPMENT}
    assert not only_for_development & pins("requirements.txt").keys()
