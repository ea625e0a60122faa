"""docs/rules.md has each rule that the code cites, and names code that there is."""

import re
from pathlib import Path

import pytest

from tests.kit.environments import CHECKOUT

PAGE = (CHECKOUT / "docs/rules.md").read_text(encoding="utf-8")
SPECIFICATION = CHECKOUT.parent / "shared/reference/event-hubs-destination.de.md"
RULES = {rule.partition("\n")[0]: rule for rule in PAGE.split("\n### ")[1:]}
SOURCES = [
    path
    for folder in ("shared", "local", "bench", "samples", "tests", "infra")
    for kind in ("*.py", "*.js", "*.bicep")
    for path in (CHECKOUT / folder).rglob(kind)
]
CITATION = re.compile(r'docs/rules\.md,\s+(?://\s*|#\s*)?"([^"]+)"')


def citations(path: Path) -> list[str]:
    """The rules that a source names; one may be written over two lines."""
    return [re.sub(r"\s+", " ", rule) for rule in CITATION.findall(path.read_text(encoding="utf-8"))]


def test_every_rule_that_is_cited_is_there() -> None:
    cited = {(path.relative_to(CHECKOUT).as_posix(), rule) for path in SOURCES for rule in citations(path)}
    assert len(cited) > 10
    assert [(path, rule) for path, rule in cited if rule not in RULES] == []


def test_no_source_cites_what_is_not_in_the_repository() -> None:
    dangling = re.compile(r"\((?:design|specification): ")
    assert [path for path in SOURCES if dangling.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_says_where_the_code_has_it(rule: str) -> None:
    """And by the path as it is, so that a search for the path finds the rule."""
    code = re.findall(r"\[([\w./-]+)\]\(\.\./([\w./-]+)\)", RULES[rule])
    assert code
    for shown, path in code:
        assert shown == path
        assert (CHECKOUT / path).exists(), path


def test_each_rule_is_either_of_a_section_of_the_specification_or_our_own() -> None:
    of_the_specification, _, added = PAGE.partition("\n## Rules that were added\n")
    by_section = {rule.partition("\n")[0]: sections(rule) for rule in of_the_specification.split("\n### ")[1:]}
    assert len(by_section) > 10
    assert [rule for rule, named in by_section.items() if not named] == []
    assert sections(added) == []


@pytest.mark.skipif(not SPECIFICATION.exists(), reason="the specification is not beside this checkout")
def test_sections_are_those_of_the_specification() -> None:
    there = set(re.findall(r"\{#([\w-]+)\}", SPECIFICATION.read_text(encoding="utf-8")))
    named = set(sections(PAGE))
    assert named <= there
    said_elsewhere = {"overview", "use-cases", "authentication-information"}
    assert there - named <= said_elsewhere


def sections(text: str) -> list[str]:
    return [
        name
        for line in re.findall(r"^Sections? (.*?) · code", text, re.MULTILINE)
        for name in re.findall(r"`([\w-]+)`", line)
    ]
