"""Which changes of the configuration call for a backfill, of which audiences and since when."""

from typing import Any

from shared.domain.backfills.backfill import Backfill
from shared.domain.configuration.backfill_requests import RESUME_OVERLAP_MS
from shared.domain.configuration.model import Configuration, parse_configuration_file
from shared.domain.configuration.plan import plan_changes
from shared.domain.instants import MILLISECOND, MINUTE
from tests.kit.builders import destination

HOUR_MS = 60 * MINUTE // MILLISECOND


class Operator:
    """Applies dataflows of one destination, an hour apart each; says what is backfilled then."""

    def __init__(self) -> None:
        self.configuration = Configuration()
        self.now_ms = 1_000 * HOUR_MS

    def apply(self, *audiences: str, **fields: Any) -> dict[str, int | None] | None:
        """Audience -> since when (hours from the first apply), None for all members; None for no backfill."""
        self.now_ms += HOUR_MS
        document = {
            "destinations": [destination("d")],
            "dataflows": [{"id": "d", "audiences": list(audiences), **fields}],
        }
        planned = plan_changes(self.configuration, parse_configuration_file(document), self.now_ms)
        self.configuration = planned.configuration
        if not planned.backfills:
            return None
        (request,) = planned.backfills
        assert request.requested_at == self.now_ms
        assert request.revision == self.configuration.revision
        assert self.configuration.requested_backfills[-1] == request
        backfill = Backfill.of(request, [("ups", audience) for audience in audiences], delay=5)
        assert backfill.due_at == self.now_ms * MILLISECOND + 5
        return {
            key[1]: None if since is None else (since // MILLISECOND + RESUME_OVERLAP_MS) // HOUR_MS - 1_001
            for key, since in backfill.audiences
        }


def test_a_new_dataflow_and_a_newly_mapped_audience() -> None:
    operator = Operator()
    assert operator.apply("a", "b") == {"a": None, "b": None}
    assert operator.apply("a", "b") is None
    assert operator.apply("b", "c") == {"c": None}
    assert operator.apply("b", "c", attributes=["x"]) is None
    assert operator.apply("a", "b", "c") == {"a": None}


def test_pause_and_resume() -> None:
    operator = Operator()
    operator.apply("a", "b")
    assert operator.apply("a", "b", enabled=False) is None
    assert operator.apply("a", "b", enabled=False, attributes=["x"]) is None
    assert operator.apply("a", "b") == {"a": 1, "b": 1}
    assert operator.configuration.pauses == {}
    assert operator.apply("a", "b", attributes=["x"]) is None


def test_what_is_mapped_during_a_pause_or_with_the_resume_is_backfilled_whole() -> None:
    operator = Operator()
    operator.apply("a")
    operator.apply("a", enabled=False)
    operator.apply("a", "b", enabled=False)
    assert operator.apply("a", "b", "c") == {"a": 1, "b": None, "c": None}


def test_what_is_mapped_with_the_pause_is_backfilled_whole() -> None:
    operator = Operator()
    operator.apply("a")
    operator.apply("a", "b", enabled=False)
    assert operator.apply("a", "b") == {"a": 1, "b": None}


def test_what_was_unmapped_and_mapped_again_during_a_pause_is_backfilled_whole() -> None:
    operator = Operator()
    operator.apply("a", "b")
    operator.apply("a", "b", enabled=False)
    operator.apply("b", enabled=False)
    operator.apply("a", "b", enabled=False)
    assert operator.apply("a", "b") == {"a": None, "b": 1}


def test_a_dataflow_made_paused_is_backfilled_whole_when_it_is_first_enabled() -> None:
    operator = Operator()
    assert operator.apply("a", enabled=False) is None
    assert operator.configuration.pauses == {}
    assert operator.apply("a") == {"a": None}


def test_requests_wait_until_they_are_taken_and_go_with_their_dataflow() -> None:
    operator = Operator()
    operator.apply("a")
    operator.apply("a", "b")
    assert [request.id for request in operator.configuration.requested_backfills] == ["d-1", "d-2"]
    document = parse_configuration_file({"destinations": [destination("e")]})
    pruned = plan_changes(operator.configuration, document, operator.now_ms, prune=True).configuration
    assert pruned.requested_backfills == []


def test_a_dataflow_without_audiences_has_nothing_to_backfill() -> None:
    assert Operator().apply() is None
