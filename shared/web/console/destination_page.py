"""What all pages of one destination have in common: its name, and its tabs."""

from dataclasses import dataclass
from typing import Any

from shared.domain.configuration.model import Configuration
from shared.web.console.mapping import dataflow_of
from shared.web.console.pages import PREFIX
from shared.web.permissions import Permission

PATH = f"{PREFIX}/destinations"


@dataclass(frozen=True, slots=True)
class Tab:
    """`below`: its address, below the destination's own."""

    label: str
    below: str
    permissions: frozenset[Permission]


_SEEING = frozenset({Permission.MANAGE_DESTINATIONS, Permission.VIEW_SEGMENTS})
OVERVIEW = Tab("Overview", "", _SEEING)
MAPPING = Tab("Mapping", "/mapping", _SEEING)
EXPORTS = Tab("Exports", "/exports", _SEEING)
BACKFILLS = Tab("Backfills", "/backfills", _SEEING)
CONTRACT = Tab("For consumers", "/contract", frozenset({Permission.VIEW_SEGMENTS}))
SETTINGS = Tab("Settings", "/settings", frozenset({Permission.MANAGE_DESTINATIONS}))
TABS = (OVERVIEW, MAPPING, EXPORTS, BACKFILLS, CONTRACT, SETTINGS)


def address(destination_id: str, tab: Tab = OVERVIEW) -> str:
    """Of one of the destination's pages."""
    return f"{PATH}/{destination_id}{tab.below}"


def frame_of(configuration: Configuration, destination_id: str, tab: Tab) -> dict[str, Any]:
    """What `destination_page.html` puts around a tab. Raises NotConfiguredError."""
    return {
        "destination": configuration.destination(destination_id),
        "dataflow": dataflow_of(configuration, destination_id),
        "home": address(destination_id),
        "tabs": TABS,
        "tab": tab,
    }
