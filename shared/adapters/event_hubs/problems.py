"""What Event Hubs and its SDK mean when they refuse: from an exception to a ConnectionProblem."""

import re
from enum import Enum, auto

from azure.eventhub.exceptions import AuthenticationError, ConnectError, ConnectionLostError, EventHubError

from shared.adapters.kept_tokens import SignInError
from shared.domain.configuration.credentials import Credentials, IdentityCredentials
from shared.ports.connections import ConnectionProblem

_FIREWALL = re.compile(
    r"ip has been prevented|ip ?filter|public network access|network security perimeter", re.IGNORECASE
)
_CLAIM_MISSING = re.compile(r"'?send'? claim", re.IGNORECASE)
_NAME_UNKNOWN = re.compile(
    r"name or service not known|nodename nor servname|name resolution|getaddrinfo", re.IGNORECASE
)
_NO_IDENTITY = re.compile(r"identity not found|no managed identity|no [a-z ]*managed identity found", re.IGNORECASE)
_DESCRIPTION = re.compile(r"^Description: (.+)$|Description: '(.+)'", re.MULTILINE)
_MADE_BY_THE_SDK = {"client-error", "socket-error", "unknown-error", "vendor-error"}
"""Conditions that no service has sent."""
_BUSY, _QUOTA = {"server-busy"}, {"resource-limit-exceeded"}
_NOT_FOUND, _PARTITION = {"not-found"}, {"argument-out-of-range"}
_TIMEOUT, _DISABLED = {"timeout"}, {"entity-disabled"}
_TOO_LARGE = {"link:message-size-exceeded"}
_SHOWN_CHARACTERS = 300


class Refusal(Enum):
    """What to do about it. `LOST`: the connection or its link broke, and another one may do.

    `BUSY`: wait, nothing was stored. `NO_TOKEN`: nor was it asked, for the app could not sign in. `NO_PARTITION`: the
    hub or its partition is not there (any more). `FINAL`: the service has said no, and would say it again.
    """

    LOST = auto()
    BUSY = auto()
    NO_TOKEN = auto()
    TOO_LARGE = auto()
    NO_PARTITION = auto()
    FINAL = auto()


def refusal_of(error: Exception) -> Refusal:
    """What the SDK's exception calls for."""
    if _sign_in(error) is not None:
        return Refusal.NO_TOKEN
    condition, status = _condition(error), _status(str(error))
    if condition in _BUSY | _QUOTA or status in (429, 503):
        return Refusal.BUSY
    if condition in _TOO_LARGE:
        return Refusal.TOO_LARGE
    if says_blocked(str(error)):
        return Refusal.FINAL
    if condition in _NOT_FOUND | _PARTITION or status == 404:
        return Refusal.NO_PARTITION
    if condition in _DISABLED or condition == "unauthorized-access" or isinstance(error, AuthenticationError):
        return Refusal.FINAL
    return Refusal.LOST


def problem_of(error: Exception, credentials: Credentials, event_hub_name: str) -> ConnectionProblem:
    """What is wrong, from what the SDK raised when it opened the hub for sending, or sent to it."""
    if isinstance(credentials, IdentityCredentials) and (sign_in := _sign_in(error)) is not None:
        return no_token(credentials, sign_in.message)
    text, namespace = str(error), credentials.namespace
    if says_blocked(text):
        return blocked(namespace)
    said = without_key(_said(text), credentials)
    known = _by_condition(error, said, namespace, event_hub_name) or _by_rights(error, credentials, event_hub_name)
    if known is not None:
        return known
    condition = _condition(error)
    if condition is None and _status(text) is None and isinstance(error, (ConnectError, ConnectionLostError)):
        if _NAME_UNKNOWN.search(text):
            return unknown_host(namespace)
        return unreachable(namespace, "the connection could not be made, or was lost")
    return ConnectionProblem("other", f"{namespace}: {said}" + (f" ({condition})" if condition else ""))


def _by_condition(error: Exception, said: str, namespace: str, hub: str) -> ConnectionProblem | None:
    condition, status = _condition(error), _status(str(error))
    if condition in _NOT_FOUND or status == 404:
        return ConnectionProblem(
            "unknown-hub", f"{namespace} has no Event Hub {hub!r}: is its name right, or is it yet to be made?"
        )
    if condition in _BUSY or status in (429, 503):
        return busy(namespace)
    if condition in _DISABLED:
        advice = "let it take events again (its status, in the portal)"
        return ConnectionProblem("disabled", f"Event Hub {hub!r} of {namespace} is disabled: {advice}")
    if condition in _QUOTA:
        advice = "lower the number of connections, or raise the namespace's tier or units"
        return ConnectionProblem("quota", f"{namespace} has reached a limit: {said}: {advice}")
    if condition in _TIMEOUT or "Authorization timeout" in said:
        return ConnectionProblem("timeout", f"{namespace} answers, but not in time: {said}")
    return None


def _by_rights(error: Exception, credentials: Credentials, hub: str) -> ConnectionProblem | None:
    text = str(error)
    if _CLAIM_MISSING.search(text):
        return _may_not_send(credentials, hub)
    # Of a token that was refused with an error condition the SDK keeps no status: 401 and 404 look alike.
    refused = _condition(error) == "unauthorized-access" or isinstance(error, AuthenticationError)
    return _refused(credentials, hub) if refused or _status(text) in (401, 403) else None


def says_blocked(text: str) -> bool:
    """Whether it is what the service says to whom its network rules do not let in."""
    return _FIREWALL.search(text) is not None


def blocked(namespace: str) -> ConnectionProblem:
    return ConnectionProblem(
        "blocked-by-firewall",
        f"the network rules of {namespace} do not let the app in: allow its addresses or its virtual network there",
    )


def busy(namespace: str) -> ConnectionProblem:
    return ConnectionProblem(
        "throttled",
        f"{namespace} is busy and asks for patience: try again in a few seconds; where that lasts, raise its "
        "throughput units",
    )


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


def no_token(identity: IdentityCredentials, why: str) -> ConnectionProblem:
    """The app could not sign in; `why` is what is known of it."""
    if not _NO_IDENTITY.search(why):
        return ConnectionProblem("sign-in-failing", why)
    which = f"managed identity {identity.client_id}" if identity.client_id else "managed identity of its own"
    return ConnectionProblem("no-identity", f"the app has no {which}: assign it to the Function App")


def without_key(text: str, credentials: Credentials) -> str:
    """The beginning of a text of somebody else's; nobody is known to repeat the key there, nor is anybody trusted."""
    if not isinstance(credentials, IdentityCredentials):
        text = text.replace(credentials.key, "…")
    return " ".join(text.split())[:_SHOWN_CHARACTERS]


def _sign_in(error: Exception) -> SignInError | None:
    """The failure to sign in that the SDK's error comes from; the SDK gives it on as a detail."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, SignInError):
        detail = getattr(seen, "details", None)
        seen = detail if isinstance(detail, SignInError) else seen.__cause__ or seen.__context__
    return seen


def _condition(error: Exception) -> str | None:
    """The AMQP condition that the service sent, without its prefix; None where none came."""
    condition = error.error if isinstance(error, EventHubError) else None
    return None if condition in _MADE_BY_THE_SDK else condition


def _said(text: str) -> str:
    """The service's own words, which the SDK repeats, with its condition, on lines of their own."""
    described = _DESCRIPTION.search(text)
    return (described[1] or described[2]) if described else text.partition("\nError condition:")[0]


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
