"""A package that does not load is found when the app is asked, and not by the first message."""

import importlib
import json
import sys
from types import ModuleType
from typing import Any

import azure.functions as func
import pytest

from shared import packages
from shared.triggers import admin


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    packages.imports_that_fail.cache_clear()


def test_all_that_an_invocation_needs_loads() -> None:
    everything = {"APPLICATIONINSIGHTS_CONNECTION_STRING": "x", "KEY_VAULT_URI": "x"}
    assert packages.needed_imports_that_fail(everything) == ()


def test_each_module_that_does_not_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    import_module = importlib.import_module
    tried: list[str] = []

    def failing(name: str, *more: Any) -> ModuleType:
        tried.append(name)
        if name == "shared.adapters.webhook_sender":
            raise ImportError("libssl.so.1.1: cannot open shared object file")
        return import_module(name, *more)

    monkeypatch.setattr(importlib, "import_module", failing)
    (line,) = packages.needed_imports_that_fail({})
    assert line.startswith("module shared.adapters.webhook_sender does not load: ImportError: libssl.so.1.1")
    assert "shared.triggers.profile_changes" in tried
    assert not any(name.startswith(("shared.upstream", "shared.adapters.telemetry")) for name in tried)
    packages.imports_that_fail.cache_clear()


async def test_an_api_that_does_not_load_answers_with_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shared.web.app", None)
    answered = await admin.admin_api(func.HttpRequest(method="GET", url="https://relay.example/api/health", body=b""))
    assert (answered.status_code, answered.mimetype) == (503, "application/problem+json")
    assert "does not load" in json.loads(answered.get_body())["detail"]
