"""The part of a form that says how a hub is reached. A key that was typed is never shown again."""

from typing import Any

from pydantic import ValidationError

from shared.domain.configuration.given_connection import ConnectionCheck
from shared.domain.problems import describe_problems
from shared.errors import ConfigurationError, ConnectionFailedError, SecretError
from shared.services.destinations.connect import ConnectDestinations
from shared.views.connections import ConnectionReportView
from shared.web.console.forms import Form
from shared.web.console.problems_by_field import Problems, by_field

WAYS = ("standard", "sas", "connection-string", "managed-identity", "app-setting")
REFUSED = (ValidationError, ConfigurationError, ConnectionFailedError, SecretError)
"""What `problems_of` tells of."""
_SECRETS = frozenset({"key", "connection_string"})
_TEXTS = ("event_hub_name", "way", "key_name", "key", "namespace", "connection_string", "client_id", "setting")
_FIELDS = {
    "id": "id",
    "name": "name",
    "description": "description",
    "eventHubName": "event_hub_name",
    "identityNamespaces": "identity_namespaces",
    "staticProperties": "static_properties",
    "consumerCheckpoints": "consumer_checkpoints",
    "retentionHours": "retention_hours",
    "connection": "way",
    "connection/namespace": "namespace",
    "connection/keyName": "key_name",
    "connection/key": "key",
    "connection/connectionString": "connection_string",
    "connection/clientId": "client_id",
    "connection/setting": "setting",
}
_FIELD_OF_KIND = {
    "unknown-host": "namespace",
    "unknown-hub": "event_hub_name",
    "bad-key": "key",
    "no-identity": "client_id",
}
_MEMBERS = {
    "sas": {"namespace": "namespace", "keyName": "key_name", "key": "key"},
    "connection-string": {"connectionString": "connection_string"},
    "managed-identity": {"namespace": "namespace", "clientId": "client_id"},
    "app-setting": {"setting": "setting"},
}
"""What each kind of connection is made of: member -> field."""


def connection_of(form: Form) -> dict[str, Any]:
    """The connection as the API takes it."""
    way = form.text("way")
    kind = "sas" if way == "standard" else way
    values = {member: form.text(field) for member, field in _MEMBERS.get(kind, {}).items()}
    if not values.get("clientId", "given"):
        del values["clientId"]
    return {"type": kind} | values


def given_in(form: Form, event_hub_name: str | None) -> ConnectionCheck:
    """The connection to this hub, or without one to its namespace. Raises ValidationError."""
    return ConnectionCheck.model_validate({"connection": connection_of(form), "eventHubName": event_hub_name})


async def tested(form: Form, service: ConnectDestinations, event_hub_name: str | None) -> ConnectionReportView:
    """Whether events could be sent to the hub, or without one what the namespace has; nothing is sent or kept.

    Raises ValidationError, ConfigurationError.
    """
    given = given_in(form, event_hub_name)
    return ConnectionReportView.model_validate(await service.check(given.connection, given.event_hub_name))


def problems_of(error: Exception, form: Form) -> Problems:
    """What is wrong, beside the fields."""
    if isinstance(error, ConnectionFailedError):
        field = _FIELD_OF_KIND.get(error.kind, "way")
        if form.text("way") in {"connection-string", "app-setting"} and field != "event_hub_name":
            field = "connection_string" if form.text("way") == "connection-string" else "setting"
        return {field: [str(error)], "": ["the connection does not work, so nothing was kept"]}
    if isinstance(error, ValidationError):
        return by_field(describe_problems(error), _FIELDS)
    return by_field(str(error).splitlines(), _FIELDS)


def values_of(form: Form) -> dict[str, str]:
    """What the fields show, which are empty where a secret was typed."""
    return {name: "" if name in _SECRETS else form.text(name) for name in _TEXTS}


def surroundings_of(form: Form, service: ConnectDestinations) -> dict[str, Any]:
    """What the templates need beside the fields; `retyped`: a secret was typed, which is to be typed again."""
    return {
        "keeps_keys": service.keeps_keys,
        "egress_addresses": service.egress_addresses,
        "retyped": any(form.raw(name) for name in _SECRETS),
    }
