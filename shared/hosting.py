"""Where the app runs and who signs callers in: what its triggers are made by, before anything else of it is loaded."""

from collections.abc import Mapping

from shared.storage_account import local_storage, on_this_machine

RELAY_STORAGE = "RELAY_STORAGE"


def on_local_stack(environment: Mapping[str, str]) -> bool:
    """Whether all of the app's storage is on this machine."""
    if text := environment.get(RELAY_STORAGE):
        return local_storage(text)
    endpoints = [environment.get(f"{RELAY_STORAGE}__{service}ServiceUri") or "" for service in ("table", "queue")]
    return all(map(on_this_machine, endpoints))


def app_service_authentication(environment: Mapping[str, str]) -> bool:
    """Whether the platform signs callers in before the app sees their requests; it then says so itself."""
    return environment.get("WEBSITE_AUTH_ENABLED", "").lower() == "true"
