"""What Event Hubs and its SDK mean when they refuse: from an exception to a ConnectionProblem."""

import re

from azure.eventhub.exceptions import AuthenticationError, ConnectError, ConnectionLostError, EventHubError

from shared.domain.configuration.credentials import Credentials, IdentityCredentials
from shared.ports.connections import ConnectionProblem

_FIREWALL = re.compile(
    r"ip has been prevented|ip ?filter|public network access|network security perimeter", re.IGNORECASE
)
_CLAIM_MISSING = re.compile(r"'?send'? claim", re.IGNORECASE)
_SHOWN_CHARACTERS = 300


def problem_of(error: Exception, credentials: Credentials, event_hub_name: str) -> ConnectionProblem:
    """What is wrong, from what the SDK raised when it opened the hub for sending."""
    text, namespace = str(error), credentials.namespace
    condition = error.error if isinstance(error, EventHubError) else None
    if says_blocked(text):
        return blocked(namespace)
    if condition == "not-found" or _status(text) == 404:
        return ConnectionProblem(
            "unknown-hub",
            f"{namespace} has no Event Hub {event_hub_name!r}: is its name right, or is it yet to be made?",
        )
    if condition == "server-busy" or _status(text) in (429, 503):
        return busy(namespace)
    if _CLAIM_MISSING.search(text):
        return _may_not_send(credentials, event_hub_name)
    # Of a token that was refused with an error condition the SDK keeps no status: 401 and 404 look alike.
    if condition == "unauthorized-access" or isinstance(error, AuthenticationError) or _status(text) in (401, 403):
        return _refused(credentials, event_hub_name)
    if isinstance(error, (ConnectError, ConnectionLostError)):
        return unreachable(namespace, "the connection could not be made")
    return ConnectionProblem("other", f"{namespace}: {without_key(text, credentials)}")


def says_blocked(text: str) -> bool:
    """Whether it is what the service says to whom its network rules do not let in."""
    return _FIREWALL.search(text) is not None


def blocked(namespace: str) -> ConnectionProblem:
    return ConnectionProblem(
        "blocked-by-firewall",
        f"the network rules of {namespace} do not let the app in: allow its addresses or its virtual network there",
    )


def busy(namespace: str) -> ConnectionProblem:
    return ConnectionProblem("throttled", f"{namespace} is busy and asks for patience: try again in a few seconds")


def unknown_host(namespace: str) -> ConnectionProblem:
    return ConnectionProblem(
        "unknown-host",
        f"{namespace} is not known to DNS: is its name right? With a private endpoint, does the app use the DNS of its "
        "virtual network?",
    )


def unreachable(namespace: str, what: str) -> ConnectionProblem:
    return ConnectionProblem(
        "unreachable",
        f"{namespace}: {what}: does a firewall keep the app from it, or is its private endpoint in another network?",
    )


def without_key(text: str, credentials: Credentials) -> str:
    """The beginning of a text of somebody else's; nobody is known to repeat the key there, nor is anybody trusted."""
    if not isinstance(credentials, IdentityCredentials):
        text = text.replace(credentials.key, "…")
    return " ".join(text.split())[:_SHOWN_CHARACTERS]


def _status(text: str) -> int | None:
    status = re.search(r"status.code: (\d{3})", text, re.IGNORECASE)
    return int(status[1]) if status else None


def _refused(credentials: Credentials, event_hub_name: str) -> ConnectionProblem:
    if isinstance(credentials, IdentityCredentials):
        return _may_not_send(credentials, event_hub_name)
    return ConnectionProblem(
        "bad-key",
        f"{credentials.namespace} does not know this key of {credentials.key_name!r}: was it regenerated, is it a "
        f"policy of another hub than {event_hub_name!r}, or is there no such hub?",
    )


def _may_not_send(credentials: Credentials, event_hub_name: str) -> ConnectionProblem:
    if isinstance(credentials, IdentityCredentials):
        advice = "the app's identity may not send: give it the role Azure Event Hubs Data Sender there"
    else:
        advice = f"the policy {credentials.key_name!r} may not send: give it the claim Send, or use another one"
    return ConnectionProblem("no-send-claim", f"Event Hub {event_hub_name!r} of {credentials.namespace}: {advice}")
