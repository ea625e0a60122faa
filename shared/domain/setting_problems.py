"""What is wrong with the app settings: those that the app reads, and those that the Functions host alone reads.

What the host cannot use it tells in its own log, and runs without the function: nobody else would hear of it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import UUID

from shared.domain.configuration.credentials import parse_setting
from shared.domain.host_names import names_instead
from shared.domain.host_settings import HOST_CHECKS
from shared.domain.namespaces import parse_namespace
from shared.domain.setting_problem import CHANGES, EVERY_QUEUE, EVERY_TIMER, EVERYTHING, SENDING, SettingProblem
from shared.domain.timers import BY_SCHEDULE
from shared.errors import SettingError
from shared.hosting import RELAY_STORAGE, on_local_stack
from shared.settings import UNRESOLVED, Connection, Settings, checked_storage, is_unresolved
from shared.storage_account import on_this_machine, refused_by_the_host

_HOST_STORAGE = "AzureWebJobsStorage"
_EVENT_HUBS = "EVENTHUBS"
_VAULT = "KEY_VAULT_URI"
_NAMESPACE = "__fullyQualifiedNamespace"
_STOPPED_BY = {
    "PROFILE_CHANGES_QUEUE": CHANGES,
    _EVENT_HUBS: SENDING,
    _HOST_STORAGE: EVERY_TIMER,
    **BY_SCHEDULE,
}


def setting_problems(environment: Mapping[str, str]) -> list[SettingProblem]:
    """Each setting that is wrong, once; what stops functions comes first."""
    found = {problem.setting: problem for problem in _unresolved(environment)}
    resolved = {name: value for name, value in environment.items() if name not in found}
    for check in (_storage, _host_storage, _taken_instead, _identities, _read_by_the_app, _event_hubs, *HOST_CHECKS):
        for problem in check(resolved):
            found.setdefault(problem.setting, problem)
    return sorted(found.values(), key=lambda problem: not problem.is_error)


def _unresolved(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    """Host and SDKs take such a reference for a name, a schedule or a key, and the function is listed all the same."""
    for name, value in environment.items():
        if is_unresolved(value):
            yield SettingProblem(name, UNRESOLVED, _STOPPED_BY.get(name, EVERYTHING))


def _read_by_the_app(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    """Each is found with those before it left out."""
    left = dict(environment)
    while True:
        try:
            settings = Settings.from_environment(left)
            break
        except SettingError as error:
            yield _told(error, EVERYTHING)
            del left[error.setting]
    yield from _asked(settings.key_vault)
    yield from _asked(lambda: settings.local_secrets_file)
    for name in dict.fromkeys(settings.profile_accounts):
        yield from _asked(lambda name=name: settings.tables(name))  # type: ignore[misc]


def _storage(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    connections = Settings.from_environment(_of(environment, RELAY_STORAGE))
    yield from _asked(connections.tables)
    if environment.get(RELAY_STORAGE):
        yield from _asked(connections.queues)
    yield from _as_the_host_takes_it(environment, RELAY_STORAGE, EVERY_QUEUE)
    if environment.get(f"{RELAY_STORAGE}__tableServiceUri") and not environment.get(RELAY_STORAGE):
        queues = f"{RELAY_STORAGE}__queueServiceUri"
        if not environment.get(queues):
            yield SettingProblem(queues, "expected the URL of the account's queues, as of its tables", EVERYTHING)
    yield from _endpoints(environment, RELAY_STORAGE, EVERYTHING)


def _taken_instead(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    stopped = {RELAY_STORAGE: EVERY_QUEUE, _HOST_STORAGE: EVERY_TIMER, "PROFILE_CHANGES_QUEUE": CHANGES, **BY_SCHEDULE}
    for setting, stops in stopped.items():
        is_connection = setting in (RELAY_STORAGE, _HOST_STORAGE)
        for name in names_instead(setting, environment, connection=is_connection):
            instead = f"the host takes it in place of {setting}, and the app does not: remove it"
            yield SettingProblem(name, instead, stops)


def _host_storage(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    if text := environment.get(_HOST_STORAGE):
        yield from _asked(lambda: checked_storage(_HOST_STORAGE, text), EVERY_TIMER)
        yield from _as_the_host_takes_it(environment, _HOST_STORAGE, EVERY_TIMER)
    elif not any(environment.get(f"{_HOST_STORAGE}__{kind}") for kind in ("accountName", "blobServiceUri")):
        yield SettingProblem(
            _HOST_STORAGE,
            f"expected a storage connection string, or {_HOST_STORAGE}__blobServiceUri for an identity's access: the "
            "host keeps its keys and the locks of timers there",
            EVERY_TIMER,
        )
    yield from _endpoints(environment, _HOST_STORAGE, EVERY_TIMER)


def _as_the_host_takes_it(environment: Mapping[str, str], name: str, stops: str) -> Iterator[SettingProblem]:
    with suppress(ValueError):  # what the app cannot take, either, is told already
        if why := refused_by_the_host(environment.get(name, "")):
            yield SettingProblem(name, why, stops)


def _endpoints(environment: Mapping[str, str], name: str, stops: str) -> Iterator[SettingProblem]:
    for service in ("table", "queue", "blob"):
        setting = f"{name}__{service}ServiceUri"
        text = environment.get(setting)
        if text and not _is_endpoint(text):
            expected = f"expected the URL of a storage service, such as https://contoso.{service}.core.windows.net"
            yield SettingProblem(setting, expected, stops)


def _is_endpoint(text: str) -> bool:
    try:
        parts = urlsplit(text)
        plain = parts.scheme == "http" and on_this_machine(text)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or plain) and not (parts.query or parts.fragment)


def _identities(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    for name, value in environment.items():
        connection = name.removesuffix("__clientId")
        by_string = connection != _VAULT and environment.get(connection)  # and needs no identity
        if connection == name or not value or by_string:
            continue
        stops = {RELAY_STORAGE: EVERYTHING, _HOST_STORAGE: EVERY_TIMER}.get(
            connection, f"what connects by {connection}"
        )
        try:
            UUID(value)
        except ValueError:
            yield SettingProblem(name, "expected the client id of a user-assigned identity, which is a GUID", stops)
        credential = f"{connection}__credential"
        told = environment.get(credential, "").lower() == "managedidentity"
        if connection in (RELAY_STORAGE, _HOST_STORAGE) and not told:
            of_host = EVERY_QUEUE if connection == RELAY_STORAGE else EVERY_TIMER
            yield SettingProblem(
                credential, f"expected managedidentity, for the host goes by it beside {name}", of_host
            )


def _event_hubs(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    local = on_local_stack(environment)
    for name, value in environment.items():
        try:
            if name == _EVENT_HUBS and value:
                parse_setting(Connection(name, connection_string=value), local_allowed=local)
            elif name.endswith(_NAMESPACE) and value:
                parse_namespace(value, local_allowed=local)
        except ValueError as error:
            yield SettingProblem(name, str(error).removeprefix(f"app setting {name}: "), SENDING)


def _of(environment: Mapping[str, str], connection: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.partition("__")[0] == connection}


def _asked(ask: Callable[[], object], stops: str = EVERYTHING) -> Iterator[SettingProblem]:
    try:
        ask()
    except SettingError as error:
        yield _told(error, stops)


def _told(error: SettingError, stops: str) -> SettingProblem:
    return SettingProblem(error.setting, str(error).removeprefix(f"app setting {error.setting}: "), stops)
