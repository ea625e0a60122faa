"""Connections to hubs."""

from pydantic import Field

from shared.ports.connections import ProblemKind
from shared.views.configuration import DestinationResource
from shared.views.view import Instant, View


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


class EgressAddressesView(View):
    """Where the app connects to hubs from, as IP addresses and ranges; empty where its addresses are not static."""

    addresses: list[str]


class RotatedView(View):
    """The old key may be revoked at `oldKeyNeededUntil`: by then every worker has gone over to the new one."""

    destination: DestinationResource
    old_key_needed_until: Instant
