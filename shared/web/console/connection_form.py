"""The part of a form that says how a hub is reached. A key that was typed is never shown again."""

from typing import Any

from pydantic import ValidationError

from shared.domain.configuration.given_connection import ConnectionCheck
from shared.errors import ConfigurationError, ConnectionFailedError, PreconditionFailedError, SecretError
from shared.services.destinations.connect import ConnectDestinations
from shared.views.connections import ConnectionReportView
from shared.web.console.forms import SECRETS, Form
from shared.web.console.problems_by_field import Problems, problems_of

WAYS = ("standard", "sas", "connection-string", "managed-identity", "app-setting")
REFUSED = (ValidationError, ConfigurationError, ConnectionFailedError, SecretError, PreconditionFailedError)
"""What `problems_with` tells of."""
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
_PLAIN = {
    "id": "use small letters, digits and hyphens, with a letter or digit first, at most 63 of them",
    "setting": "name an app setting: letters, digits and underscores, with a letter first",
    "client_id": "use the client id of the identity, which has hexadecimal digits and hyphens alone",
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


def problems_with(error: Exception, form: Form) -> Problems:
    """What is wrong, beside the fields."""
    if isinstance(error, ConnectionFailedError):
        field = _FIELD_OF_KIND.get(error.kind, "way")
        if form.text("way") in {"connection-string", "app-setting"} and field != "event_hub_name":
            field = "connection_string" if form.text("way") == "connection-string" else "setting"
        return Problems({field: [str(error)], "": ["the connection does not work, so nothing was kept"]})
    return problems_of(error, _FIELDS, _PLAIN)


def values_of(form: Form) -> dict[str, str]:
    """What the fields show, which are empty where a secret was typed."""
    return {name: "" if name in SECRETS else form.text(name) for name in _TEXTS}


def surroundings_of(form: Form, service: ConnectDestinations) -> dict[str, Any]:
    """What the templates need beside the fields; `retyped`: a secret was typed, which is to be typed again."""
    return {
        "keeps_keys": service.keeps_keys,
        "egress_addresses": service.egress_addresses,
        "retyped": any(form.raw(name) for name in SECRETS),
    }
