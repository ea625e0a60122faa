"""What the API says of a connection."""

from pydantic import Field

from shared.ports.connections import ConnectionProblem, ProblemKind
from shared.services.destinations.connect import ConnectionReport
from shared.web.api.models.views import DestinationResource, View


class ConnectionProblemView(View):
    kind: ProblemKind
    message: str = Field(description="What is wrong, and what to do")


class ConnectionReportView(View):
    """`hubs` is null where they cannot be listed, for the reason `hubsProblem`."""

    reachable: bool
    partitions: list[str]
    hubs: list[str] | None
    hubs_problem: ConnectionProblemView | None
    problem: ConnectionProblemView | None

    @classmethod
    def of(cls, report: ConnectionReport) -> "ConnectionReportView":
        return cls(
            reachable=report.reachable,
            partitions=list(report.partitions),
            hubs=None if report.hubs is None else list(report.hubs),
            hubs_problem=_view(report.hubs_problem),
            problem=_view(report.problem),
        )


class EgressAddressesView(View):
    """Where the app connects to hubs from, as IP addresses and ranges; empty where its addresses are not static."""

    addresses: list[str]


class RotatedView(View):
    """The old key may be revoked at `oldKeyNeededUntil`: by then every worker has gone over to the new one."""

    destination: DestinationResource
    old_key_needed_until: str


def _view(problem: ConnectionProblem | None) -> ConnectionProblemView | None:
    return None if problem is None else ConnectionProblemView(kind=problem.kind, message=problem.message)
