"""What the service and its SDK say, as they say it, and what it means."""

from typing import Any

import pytest
from azure.eventhub._pyamqp.error import AMQPConnectionError, AMQPLinkError, ErrorCondition, TokenAuthFailure
from azure.eventhub._transport._pyamqp_transport import PyamqpTransport
from azure.eventhub.exceptions import EventHubError

from shared.adapters.event_hubs.problems import Refusal, problem_of, refusal_of
from shared.domain.configuration.credentials import Credentials, IdentityCredentials, SasCredentials

HOST = "contoso.servicebus.windows.net"
KEY = "c2VjcmV0LWtleS1vZi1hLW5hbWVzcGFjZS1vci1odWI="
SAS = SasCredentials(HOST, "send", KEY)
IDENTITY = IdentityCredentials(HOST)
TRACKING = f"TrackingId:1f_G2, SystemTracker:{HOST}:eventhub:crm, Timestamp:2026-01-11T22:00:00"


def raised_for(error: Any) -> Exception:
    """What the SDK makes of an error of its AMQP part."""
    made: Exception = PyamqpTransport._create_eventhub_exception(error)  # type: ignore[no-untyped-call]
    return made


def link(condition: bytes, description: str) -> Exception:
    """A link that was refused."""
    return raised_for(AMQPLinkError(condition=condition, description=description.encode()))


def token(status: int, description: str) -> Exception:
    """A token that was refused."""
    return raised_for(TokenAuthFailure(status, description.encode()))  # type: ignore[no-untyped-call]


def management(status: int, description: str) -> Exception:
    """A question about the hub that was not answered."""
    return raised_for(PyamqpTransport.get_error(status, description))  # type: ignore[no-untyped-call]


NO_CONNECTION = AMQPConnectionError(ErrorCondition.SocketError, description=b"Failed to initiate the connection")
NO_NAME = AMQPConnectionError(
    ErrorCondition.SocketError, description=b"Failed to initiate the connection: [Errno -2] Name or service not known"
)
NOT_FOUND, UNAUTHORIZED, BUSY = b"amqp:not-found", b"amqp:unauthorized-access", b"com.microsoft:server-busy"
MISSING = f"The messaging entity 'sb://{HOST}/crm' could not be found. {TRACKING}"
NO_CLAIM = f"Unauthorized access. 'Send' claim(s) are required to perform this operation. Resource: 'sb://{HOST}/crm'."
BLOCKED = f"Ip has been prevented to connect to the endpoint. {TRACKING}"


@pytest.mark.parametrize(
    ("error", "credentials", "kind", "said"),
    [
        (token(401, "InvalidSignature: The token has an invalid signature."), SAS, "bad-key", "'send'"),
        (token(404, MISSING), SAS, "unknown-hub", "'crm'"),
        (raised_for(TokenAuthFailure(None, None)), SAS, "bad-key", "no such hub"),  # type: ignore[no-untyped-call]
        (raised_for(TokenAuthFailure(None, None)), IDENTITY, "no-send-claim", "Data Sender"),  # type: ignore[no-untyped-call]
        (token(401, BLOCKED), SAS, "blocked-by-firewall", HOST),
        (token(503, "busy"), SAS, "throttled", "try again"),
        (management(401, "Unauthorized"), SAS, "bad-key", "regenerated"),
        (management(401, "Unauthorized"), IDENTITY, "no-send-claim", "role Azure Event Hubs Data Sender"),
        (management(404, MISSING), SAS, "unknown-hub", "'crm'"),
        (link(NOT_FOUND, MISSING), IDENTITY, "unknown-hub", "'crm'"),
        (link(UNAUTHORIZED, NO_CLAIM), SAS, "no-send-claim", "the claim Send"),
        (link(UNAUTHORIZED, NO_CLAIM), IDENTITY, "no-send-claim", "Data Sender"),
        (link(UNAUTHORIZED, f"Unauthorized access. {TRACKING}"), SAS, "bad-key", "regenerated"),
        (link(UNAUTHORIZED, BLOCKED), SAS, "blocked-by-firewall", "allow its addresses"),
        (link(BUSY, "The server is busy. Please wait 4 seconds and try again."), SAS, "throttled", "try again"),
        (raised_for(NO_CONNECTION), SAS, "unreachable", "does a firewall"),
        (raised_for(TimeoutError("timed out")), SAS, "unreachable", "private endpoint"),
        (link(b"com.microsoft:entity-disabled", f"'sb://{HOST}/crm' is currently disabled."), SAS, "disabled", "'crm'"),
        (link(b"amqp:resource-limit-exceeded", "The maximum number of connections is 5000."), SAS, "quota", "5000"),
        (link(b"com.microsoft:timeout", "The operation did not complete."), SAS, "timeout", "not in time"),
        (link(b"amqp:internal-error", "The service failed."), SAS, "other", "The service failed. (internal-error)"),
        (link(b"com.microsoft:argument-error", "Odd."), SAS, "other", "Odd. (argument-error)"),
        (management(500, "It failed."), SAS, "other", "It failed."),
        (raised_for(NO_NAME), SAS, "unknown-host", "DNS"),
        (EventHubError(f"odd: {KEY}\n  and more"), SAS, "other", f"{HOST}: odd: … and more"),
        (ValueError("x" * 5_000), SAS, "other", "xxx"),
    ],
)
def test_what_is_said_and_what_it_means(error: Exception, credentials: Credentials, kind: str, said: str) -> None:
    problem = problem_of(error, credentials, "crm")
    assert problem.kind == kind
    assert said in problem.message
    assert KEY not in problem.message
    assert len(problem.message) < 400


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (link(BUSY, "Please wait 4 seconds."), Refusal.BUSY),
        (link(b"amqp:resource-limit-exceeded", "too many"), Refusal.BUSY),
        (token(503, "busy"), Refusal.BUSY),
        (link(b"amqp:link:message-size-exceeded", "too large"), Refusal.TOO_LARGE),
        (link(NOT_FOUND, MISSING), Refusal.NO_PARTITION),
        (link(b"com.microsoft:argument-out-of-range", "between 0 and 3"), Refusal.NO_PARTITION),
        (management(404, MISSING), Refusal.NO_PARTITION),
        (link(UNAUTHORIZED, NO_CLAIM), Refusal.FINAL),
        (link(UNAUTHORIZED, BLOCKED), Refusal.FINAL),
        (token(401, "InvalidSignature"), Refusal.FINAL),
        (link(b"com.microsoft:entity-disabled", "disabled"), Refusal.FINAL),
        (link(b"amqp:internal-error", "failed"), Refusal.LOST),
        (link(b"amqp:link:detach-forced", "moved"), Refusal.LOST),
        (raised_for(NO_CONNECTION), Refusal.LOST),
        (ValueError("odd"), Refusal.LOST),
    ],
)
def test_what_a_failure_calls_for(error: Exception, refusal: Refusal) -> None:
    assert refusal_of(error) is refusal
