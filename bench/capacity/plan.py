"""How many of everything a rate of changes needs, and what that costs a month.

A cell is one deployment as the app is today: one storage account for everything but profiles (the member index, what is
undelivered, the configuration), as many more as profiles need, and a function app for each queue, because an app reads
one. Where that one account is full, more cells go side by side, and upstream chooses by a hash of the profile's id.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bench.capacity.cost import TOTAL, cost_per_million
from bench.capacity.limits import (
    ACCOUNT_REQUESTS,
    APP_INSTANCES,
    HUB_PARTITIONS,
    NAMESPACE_CONNECTIONS,
    NAMESPACE_UNITS,
    PARTITION_ENTITIES,
    QUEUE_MESSAGES,
    REGION_INSTANCES,
    UNIT_BYTES,
    UNIT_EVENTS,
    USED,
)
from bench.capacity.measured import Measured
from shared.adapters.event_hubs.sender import CONNECTIONS
from shared.settings import PROFILE_BUCKETS

DATAFLOW_CHANGES = 10_000
"""Changes a second of one dataflow (docs/rules.md, "Latency and rate"); a rate above that is of so many more."""
MONTH_SECONDS = 730 * 3600
PROFILE_BYTES = 2_048
"""Of a stored profile with its rows in the member index; 20 attributes, 10 memberships, 3 identities."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Numbers are of the whole, not of a cell; `connections` are those to one namespace, of all instances.

    `monthly` is in US dollars. `remarks`: what a rate as high runs into.
    """

    rate: float
    changes_a_message: int
    cells: int
    queues: int
    profile_accounts: int
    queue_accounts: int
    instances: int
    dataflows: int
    throughput_units: int
    namespaces: int
    connections: int
    monthly: float
    remarks: tuple[str, ...] = ()

    @property
    def accounts(self) -> int:
        """Without any for profiles and queues, one has everything."""
        return self.cells + self.profile_accounts + self.queue_accounts

    @property
    def a_million(self) -> float:
        """US dollars for a million changes."""
        return self.monthly / (self.rate * MONTH_SECONDS / 1e6)


def plan_capacity(
    rate: float, changes_a_message: int, measured: Measured, prices: Mapping[str, float], profiles: int = 0
) -> Plan:
    """For `rate` changes a second, all the time, in messages of `changes_a_message`; `profiles` are stored."""
    operations = measured.operations[changes_a_message]
    own_account = rate * _shared_requests(operations)
    of_profiles = rate * operations["profileRequests"]
    of_queues = rate * operations["queueRequests"]
    cells = _needed(own_account, ACCOUNT_REQUESTS)
    in_one = own_account + of_profiles + of_queues <= ACCOUNT_REQUESTS * USED
    instances = _whole(rate * measured.instance_seconds)
    queues = max(cells, _needed(rate / changes_a_message, QUEUE_MESSAGES), _whole(instances / APP_INSTANCES))
    dataflows = _whole(rate / DATAFLOW_CHANGES)
    units = dataflows * _units(rate / dataflows, operations)
    namespaces = _whole(units / NAMESPACE_UNITS)
    senders = instances * _whole(dataflows / namespaces)
    return Plan(
        rate=rate,
        changes_a_message=changes_a_message,
        cells=cells,
        queues=queues,
        profile_accounts=0 if in_one else max(cells, _needed(of_profiles, ACCOUNT_REQUESTS)),
        queue_accounts=0 if in_one else max(cells, _needed(of_queues, ACCOUNT_REQUESTS)),
        instances=instances,
        dataflows=dataflows,
        throughput_units=units,
        namespaces=namespaces,
        connections=senders * _connections_to_a_hub(CONNECTIONS),
        monthly=_monthly(rate, changes_a_message, measured, prices, units, profiles),
        remarks=(
            *_remarks(rate, changes_a_message, operations, cells, queues, instances, units // dataflows),
            *_of_connections(senders),
        ),
    )


def ceiling(measured: Measured, changes_a_message: int) -> float:
    """Changes a second above which one cell is full: its account for all but profiles is used as far as a plan goes."""
    return ACCOUNT_REQUESTS * USED / max(_shared_requests(measured.operations[changes_a_message]), 1e-9)


def _shared_requests(operations: Mapping[str, float]) -> float:
    """Requests a change to the tables that are all in one account: those that neither read nor save a profile."""
    return operations["tableRequests"] - operations["profileRequests"]


def _whole(amount: float) -> int:
    """Rounded up, but for what floating point adds."""
    return math.ceil(round(amount, 6))


def _needed(rate: float, limit: float) -> int:
    return max(1, _whole(rate / (limit * USED)))


def _units(rate: float, operations: Mapping[str, float]) -> int:
    return max(_needed(rate * operations["events"], UNIT_EVENTS), _needed(rate * operations["eventBytes"], UNIT_BYTES))


def _connections_to_a_hub(lanes: int) -> int:
    """Of one instance: its lanes, and one more while it reads the hub's partitions."""
    return min(lanes, HUB_PARTITIONS) + 1


def _of_connections(senders: int) -> list[str]:
    """`senders`: the instances, each counted once for every hub of a namespace."""
    room = NAMESPACE_CONNECTIONS * USED
    if (needed := senders * _connections_to_a_hub(CONNECTIONS)) <= room:
        return []
    fewer = max((lanes for lanes in range(1, CONNECTIONS) if senders * _connections_to_a_hub(lanes) <= room), default=0)
    way_out = f"CONNECTIONS_PER_HUB at {fewer}" if fewer else "more namespaces, or Premium"
    return [f"{needed:,} connections to a namespace, which takes {NAMESPACE_CONNECTIONS:,}: {way_out}"]


def _monthly(
    rate: float,
    changes_a_message: int,
    measured: Measured,
    prices: Mapping[str, float],
    units: int,
    profiles: int,
) -> float:
    """Throughput units as whole ones, which a plan buys; everything else by use."""
    costs = cost_per_million(
        measured.operations[changes_a_message], changes_a_message, measured.instance_seconds, prices
    )
    by_use = (costs[TOTAL] - costs["hub, throughput units"]) * rate * MONTH_SECONDS / 1e6
    stored = profiles * PROFILE_BYTES / 1e9 * prices["tableGigabyteMonths"]
    return by_use + units * prices["throughputUnitHours"] * MONTH_SECONDS / 3600 + stored


def _remarks(
    rate: float,
    changes_a_message: int,
    operations: Mapping[str, float],
    cells: int,
    queues: int,
    instances: int,
    units_of_one: int,
) -> list[str]:
    remarks = []
    if cells > 1:
        remarks.append(f"{cells} cells, upstream chooses by profile")
    if queues > cells:
        remarks.append("several function apps on the same tables")
    if instances > REGION_INSTANCES:
        remarks.append(f"over {REGION_INSTANCES} instances: the region's memory quota must be raised")
    if units_of_one > HUB_PARTITIONS:
        remarks.append(
            f"{units_of_one} units for one hub, of which its {HUB_PARTITIONS} partitions can use {HUB_PARTITIONS}"
        )
    if rate / cells * operations["profileRequests"] / PROFILE_BUCKETS > PARTITION_ENTITIES * USED:
        remarks.append("more than a profile bucket's partition takes: needs more buckets")
    if changes_a_message == 1 and rate > QUEUE_MESSAGES * USED:
        remarks.append("larger messages would need fewer queues")
    return remarks
