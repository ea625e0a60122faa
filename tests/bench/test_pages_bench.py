"""What pages of the console ask of storage: counted, on Azurite, at few destinations and at many."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from bench.pages.__main__ import OF_ALL, OF_ONE
from local.stack.part import PROJECT
from tests.kit.console import page_routes

FEW, MANY = "3", "30"
MOST = 25
"""Requests of a page that shows all destinations, whatever an instance remembers; some wait on each other."""


@pytest.fixture(scope="module")
def asked() -> dict[str, Any]:
    """By the number of destinations, and by page."""
    command = [sys.executable, "-m", "bench.pages", "--json", "--few", FEW, "--many", MANY, "--undelivered", "30"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=600, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("path", OF_ONE)
def test_a_page_of_one_destination_asks_for_no_more_where_there_are_more(asked: dict[str, Any], path: str) -> None:
    few, many = asked[FEW][path], asked[MANY][path]
    assert (few["first"], few["then"]) == (many["first"], many["then"])
    assert sum(few["first"].values()) > 0


@pytest.mark.parametrize("path", OF_ALL)
def test_a_page_of_all_destinations_is_bounded(asked: dict[str, Any], path: str) -> None:
    few, many = asked[FEW][path], asked[MANY][path]
    assert few["then"] == many["then"]
    assert sum(many["then"].values()) <= MOST
    # Each instance reads a day of each destination once, and the hour that is not over, for the first page.
    of_each = 0 if path != "/console" else 2 * int(MANY)
    assert sum(many["first"].values()) <= MOST + of_each


def test_every_page_is_asked_for() -> None:
    known = {path for method, path, _ in page_routes() if method == "GET"}
    others = {
        "/console/",
        "/console/alerts/subscriptions/{subscription_id}/remove",
        "/console/quarantine/{row_id}",
    }
    asked_for = {re.sub(r"/d000\b", "/{destination_id}", path.partition("?")[0]) for path in (*OF_ONE, *OF_ALL)}
    assert known == asked_for | others
