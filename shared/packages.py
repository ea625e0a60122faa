"""Whether all that an invocation may import loads: a package that does not shows in an invocation alone."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache

import shared

_OF_UPSTREAM = "shared.upstream"
_TELEMETRY = "shared.adapters.telemetry"
_VAULT = "shared.adapters.secrets.key_vault"


@cache
def imports_that_fail(*, telemetry: bool, vault: bool) -> tuple[str, ...]:
    """A sentence for each module of the app that cannot be imported, with the reason.

    `telemetry`, `vault`: whether what only they need is to be there.
    """
    unneeded = tuple(
        name for name, needed in ((_OF_UPSTREAM, False), (_TELEMETRY, telemetry), (_VAULT, vault)) if not needed
    )
    return tuple(_failures(unneeded))


def needed_imports_that_fail(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Of an app with these settings."""
    telemetry, vault = "APPLICATIONINSIGHTS_CONNECTION_STRING", "KEY_VAULT_URI"
    return imports_that_fail(telemetry=bool(environment.get(telemetry)), vault=bool(environment.get(vault)))


def _failures(unneeded: tuple[str, ...]) -> Iterator[str]:
    for module in pkgutil.walk_packages(shared.__path__, "shared.", onerror=lambda _name: None):
        if not module.name.startswith(unneeded):
            try:
                importlib.import_module(module.name)
            except Exception as error:  # whatever a package does when it is loaded
                yield f"module {module.name} does not load: {type(error).__name__}: {error}: deploy with all packages"
