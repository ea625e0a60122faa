"""`python -m local shadow` on real storage: begun, watched, made live, dropped."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import cli
from local.relay import opened_relay
from local.stack.local_stack import LocalStack
from local.stack.state import StateDirectory, write_settings
from shared.domain.configuration.model import parse_configuration_file
from shared.services.changes.export import InboundMessage
from shared.services.configuration.apply import apply_configuration
from tests.kit.builders import destination, item, membership

CONFIGURATION = {
    "destinations": [destination("crm")],
    "dataflows": [{"id": "crm", "audiences": ["a"], "attributes": ["/x"]}],
}
CHANGES = [
    item("p", 1, segmentMembership=membership(1), attributes={"x": 1, "y": 1}),
    item("q", 2, segmentMembership=membership(2, audience="b")),
]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of a stack of the test's own, without functions."""
    with LocalStack(tmp_path, hubs={"crm": 1}) as stack:
        for name in stack.settings:
            monkeypatch.delenv(name, raising=False)
        write_settings(tmp_path / "local.settings.json", stack.settings)
        asyncio.run(_apply(tmp_path))
        yield tmp_path


async def _apply(state: Path) -> None:
    async with opened_relay(StateDirectory(state).settings()) as relay:
        services = relay.services
        wanted = parse_configuration_file(CONFIGURATION)
        await apply_configuration(relay.configuration, services.health, wanted, services.clock)


async def _changes(state: Path) -> None:
    async with opened_relay(StateDirectory(state).settings()) as relay:
        for number, change in enumerate(CHANGES):
            message = InboundMessage(f"m{number}", json.dumps(change).encode(), relay.services.clock())
            await relay.services.export_changes.handle(message)


def test_a_mapping_is_tried_watched_and_made_live(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def shadow(*options: str) -> tuple[int, str, str]:
        code = cli.main(["shadow", "crm", *options, "--state-dir", str(state)])
        said = capsys.readouterr()
        return code, said.out, said.err

    code, _, told = shadow()
    assert (code, "no mapping is tried beside the live one of crm" in told) == (1, True)
    file = tmp_path / "candidate.json"
    file.write_text(json.dumps({"audiences": ["a", "b"], "attributes": ["/x", "/y"]}), encoding="utf-8")
    code, printed, _ = shadow("--try", str(file), "--hours", "2")
    assert (code, "tried beside the live mapping of crm since" in printed) == (0, True)
    assert "making it live backfills the members of 1 audience, not counted yet" in printed
    asyncio.run(_changes(state))
    code, printed, _ = shadow("--json")
    shown: dict[str, Any] = json.loads(printed)
    assert (code, shown["live"]["byReason"]) == (0, {"audience,attribute": 1})
    assert shown["candidate"]["byReason"] == {"audience": 1, "audience,attribute": 1}
    assert (shown["both"], shown["differing"], shown["onlyCandidate"]) == (1, 1, 1)
    assert "1 of 1 that both export have a different body" in shadow()[1]
    code, printed, _ = shadow("--make-live")
    assert (code, printed.splitlines()[:2]) == (0, ["shadow of dataflow crm made live", "dataflow crm changed"])
    assert shadow("--drop")[0] == 1
    shadow("--try", str(file))
    assert shadow("--drop")[:2] == (0, "shadow of dataflow crm dropped\n")
    for text, why in (
        ("[", ":1:2: expected JSON"),
        ("[]", "expected an object"),
        ('{"id": "other"}', "/id: expected crm"),
        ('{"attributes": ["a[0]"]}', "/attributes/0: expected a path"),
    ):
        file.write_text(text, encoding="utf-8")
        code, _, told = shadow("--try", str(file))
        assert (code, why in told) == (1, True), told
