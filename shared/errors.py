"""Every error this app raises on purpose.

RelayError
├── SettingError             an app setting is missing or malformed
├── ConfigurationError       the configuration (audiences, destinations, dataflows) cannot be accepted or read
├── ProfileTooLargeError     a profile would not fit one table entity
├── ConflictError            somebody else saved the row first
├── NotInQuarantineError     there is no such row in quarantine
├── NoSuchBackfillError      there is no such backfill
├── ConnectionFailedError    a destination's hub cannot be reached, or not be sent to
├── SecretError              a destination's key could not be read or stored
│   └── NoSecretStoreError   and never will be: this app has no place for keys
├── StorageError             Azure Storage did not do what was asked
│   ├── RowTooLargeError     and never will: the row is larger than a table takes
│   └── MessageTooLargeError and never will: the message is larger than a queue takes
└── SendError                an export was not acknowledged by its Event Hub
    ├── ThrottledError       because the hub is busy: it is there, and asks for patience
    └── ExportTooLargeError  it never will be: the event is larger than the hub takes
"""


class RelayError(Exception):
    """The root of the tree above."""


class SettingError(RelayError):
    """An app setting is missing or malformed. The message names the setting and a value that would do."""


class ConfigurationError(RelayError):
    """The configuration cannot be accepted or read. The message names the path and what was expected."""


class ProfileTooLargeError(RelayError):
    """The profile would need `size` bytes in Table Storage, more than one entity takes."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the profile would need {size:,} bytes in Table Storage, more than one entity takes: "
            "remove attributes or memberships that are no longer needed, then send the change again"
        )
        self.size = size


class ConflictError(RelayError):
    """The row was saved by somebody else since it was read: read it again and decide anew."""


class NotInQuarantineError(RelayError):
    """There is no row `row_id` in quarantine (any more)."""

    def __init__(self, row_id: str) -> None:
        super().__init__(
            f"there is no row {row_id!r} in quarantine: it may have been replayed already; "
            "python -m local quarantine lists those there are"
        )


class NoSuchBackfillError(RelayError):
    """There is no backfill `backfill_id` (any more)."""

    def __init__(self, backfill_id: str) -> None:
        super().__init__(
            f"there is no backfill {backfill_id!r}: it may have ended over 30 days ago; "
            "python -m local backfills lists those there are"
        )


class ConnectionFailedError(RelayError):
    """A hub cannot be reached, or not be sent to: `kind` is that of the problem, `hubs` those there are, if known."""

    def __init__(self, kind: str, message: str, hubs: tuple[str, ...] | None) -> None:
        super().__init__(message)
        self.kind = kind
        self.hubs = hubs


class SecretError(RelayError):
    """A secret could not be read, stored or deleted. The message names the secret and never tells it."""


class NoSecretStoreError(SecretError):
    """This app has no place to keep keys. The message says how to give it one, and how to do without."""


class StorageError(RelayError):
    """Azure Storage did not do what was asked. Nothing is known about whether it was done."""


class RowTooLargeError(StorageError):
    """The row is larger than the service takes."""


class MessageTooLargeError(StorageError):
    """The message is larger than the queue takes."""


class SendError(RelayError):
    """An export to `destination_id` was not acknowledged. It may have been stored all the same."""

    def __init__(self, destination_id: str, reason: str) -> None:
        super().__init__(f"destination {destination_id!r}: {reason}")
        self.destination_id = destination_id
        self.reason = reason


class ThrottledError(SendError):
    """The hub is busy (`server-busy`): it is there, and asks to be left alone for a while."""


class ExportTooLargeError(SendError):
    """The event is larger than the hub takes, so sending it again is in vain."""
