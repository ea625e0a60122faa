"""App settings: `local.settings.json` into the environment, and `%NAME%` in bindings out of it."""

import json
import os
import re
from pathlib import Path
from typing import Any

from .errors import HostStartError

_PLACEHOLDER = re.compile(r"%([^%]+)%")


def load_local_settings(path: Path) -> None:
    """Put the file's `Values` into the environment; a variable that is already set wins, as with Core Tools."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise HostStartError(
            f"{path}: cannot be read ({error.strerror}). Name an existing file with --settings."
        ) from error
    except ValueError as error:
        raise HostStartError(f"{path}: is not JSON ({error}). Correct the file.") from error
    values = document.get("Values") if isinstance(document, dict) else None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise HostStartError(f'{path}: needs an object "Values" whose values are strings.')
    if document.get("IsEncrypted"):
        raise HostStartError(f'{path}: is encrypted. Decrypt it with "func settings decrypt" where Core Tools exist.')
    for name, value in values.items():
        os.environ.setdefault(name, value)


def required_setting(name: str, needed_by: str) -> str:
    """The value of an app setting; `needed_by` tells the reader of the error where it is used."""
    value = os.environ.get(name)
    if not value:
        raise HostStartError(
            f"{needed_by}: the app setting {name} has no value. "
            f'Add it to "Values" in local.settings.json or set it as an environment variable.'
        )
    return value


def resolve_placeholders(binding: dict[str, Any], needed_by: str) -> dict[str, Any]:
    """The binding with each `%NAME%` in its text replaced by the app setting NAME."""

    def resolved(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return _PLACEHOLDER.sub(lambda found: required_setting(found[1], needed_by), value)

    return {key: resolved(value) for key, value in binding.items()}
