"""Every error this app raises on purpose.

RelayError
├── SettingError             an app setting is missing or malformed
├── MessageLeftError         for that, a message is left on its queue
├── ConfigurationError       the configuration (audiences, destinations, dataflows) cannot be accepted or read
│   └── NotForUploadError    the audience's members are not uploaded: the catalog says so, or does not have it
├── ChangeRefusedError       a profile change cannot be sent, or the app would put it in quarantine
├── ProfileTooLargeError     a profile would not fit one table entity
├── ConflictError            somebody else saved the row first
├── PreconditionFailedError  what is to be changed is not what its author has seen
├── TakenError               there is a destination with this id already
├── InUseError               an entry cannot go while another needs it
├── NotFoundError            there is no such thing (any more):
│   ├── NotConfiguredError       an audience, a destination or a dataflow
│   ├── NoShadowError            a mapping that is tried beside the live one
│   ├── NotUndeliveredError      something undelivered
│   ├── NotInQuarantineError     a row in quarantine
│   ├── NoSuchBackfillError
│   ├── NoSuchSubscriptionError  a subscription to alerts
│   └── NoSuchUploadError
├── ResyncRefusedError       a resync of the dataflow is under way, or the idempotency key was used for another one
├── BadContinuationError     what should say where a list goes on does not
├── UploadError              an upload cannot go on as asked
│   ├── UploadClosedError    it was committed, or has ended
│   ├── UploadFileMissingError  its file was not written yet
│   ├── UploadFileChangedError  its file is no longer the one that was committed
│   ├── UploadRefusedError   its file cannot be taken: the header says so
│   └── UploadTooLargeError  it is too large to be posted
├── ConnectionFailedError    a destination's hub cannot be reached, or not be sent to
├── ConsumerLagError         how far a hub's consumers are behind cannot be said
│   └── NoCheckpointsError   for the container has no checkpoint of the hub
├── SecretError              a destination's key could not be read or stored
│   ├── NoSignInError        for the app could not sign in; nobody was asked for it
│   └── NoSecretStoreError   and never will be: this app has no place for keys
├── StorageError             Azure Storage did not do what was asked
│   ├── StorageSignInError   for it does not know the app: there is no token, or none that it takes
│   ├── RowTooLargeError     and never will: the row is larger than a table takes
│   └── MessageTooLargeError and never will: the message is larger than a queue takes
└── SendError                an export was not acknowledged by its Event Hub
    ├── HeldBackError        and is not tried again for now: its partition takes nothing
    │   └── ThrottledError   because the hub has throttled for long
    └── ExportTooLargeError  it never will be: the event is larger than the hub takes
"""

from collections.abc import Sequence
from enum import StrEnum

_SHOWN_HUBS = 5


class FailureCode(StrEnum):
    """Why an export, a destination or an inbound item failed: stored with it, for people and programs to go by.

    A code stays what it is from release to release; docs/errors.md says of each what to do.
    """

    UNKNOWN_HOST = "unknown-host"
    UNREACHABLE = "unreachable"
    BLOCKED_BY_FIREWALL = "blocked-by-firewall"
    UNKNOWN_HUB = "unknown-hub"
    BAD_KEY = "bad-key"
    NO_SEND_CLAIM = "no-send-claim"
    NO_IDENTITY = "no-identity"
    SIGN_IN_FAILING = "sign-in-failing"
    NO_CREDENTIALS = "no-credentials"
    DISABLED = "disabled"
    QUOTA = "quota"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    TOO_LARGE = "too-large"
    DESTINATION_DOWN = "destination-down"
    DATAFLOW_PAUSED = "dataflow-paused"
    REMOVED = "removed"
    GAVE_UP = "gave-up"
    OTHER = "other"
    UNREADABLE = "unreadable"
    INVALID_CHANGE = "invalid-change"
    INVALID_AUDIENCE = "invalid-audience"
    INVALID_RESYNC = "invalid-resync"
    PROFILE_TOO_LARGE = "profile-too-large"


QUARANTINE_CODES = (
    FailureCode.UNREADABLE,
    FailureCode.INVALID_CHANGE,
    FailureCode.INVALID_AUDIENCE,
    FailureCode.INVALID_RESYNC,
    FailureCode.PROFILE_TOO_LARGE,
    FailureCode.GAVE_UP,
)
"""Of what could not be taken in."""
DELIVERY_CODES = tuple(code for code in FailureCode if code == FailureCode.GAVE_UP or code not in QUARANTINE_CODES)
"""Of what could not be sent, and of destinations that are not healthy."""


class RelayError(Exception):
    """The root of the tree above."""


class MessageLeftError(RelayError):
    """A message could not be worked on, for a setting is wrong, and is on its queue again."""


class SettingError(RelayError):
    """An app setting is missing or malformed. The message names the setting and a value that would do."""

    setting = ""
    """Its name, where the error is about one of the app's own."""

    @classmethod
    def of(cls, setting: str, problem: str) -> "SettingError":
        error = cls(f"app setting {setting}: {problem}")
        error.setting = setting
        return error


class ConfigurationError(RelayError):
    """The configuration cannot be accepted or read. The message names the path and what was expected."""


class ChangeRefusedError(RelayError):
    """A profile change cannot be sent, or the app would put it in quarantine. The message says what was expected."""


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


class PreconditionFailedError(RelayError):
    """What is to be changed is not what its author has seen. The message says what to do."""


class TakenError(RelayError):
    """There is a destination with this id already."""

    def __init__(self, destination_id: str) -> None:
        super().__init__(
            f"there is a destination {destination_id!r} already: PUT /api/destinations/{destination_id} changes it"
        )


class InUseError(RelayError):
    """An entry cannot be removed while another needs it. The message names that one."""


class NotFoundError(RelayError):
    """There is no such thing, or no more. The message says where to find those there are."""


class NotConfiguredError(NotFoundError):
    """The configuration has no such entry; `kind` is audience, destination or dataflow."""

    def __init__(self, kind: str) -> None:
        within = " in the namespace" if kind == "audience" else ""
        super().__init__(f"there is no {kind} with this id{within}: GET /api/{kind}s lists those there are")


class NoShadowError(NotFoundError):
    """No mapping is tried beside the live one of this dataflow."""

    def __init__(self, destination_id: str) -> None:
        super().__init__(
            f"no mapping is tried beside the live one of {destination_id} (any more): "
            f"PUT /api/dataflows/{destination_id}/shadow tries one"
        )


class NotUndeliveredError(NotFoundError):
    """Nothing of this profile is undelivered to this destination (any more)."""

    def __init__(self) -> None:
        super().__init__(
            "there is no such row: it was delivered, or never was there; GET /api/undelivered lists those there are"
        )


class NotInQuarantineError(NotFoundError):
    """There is no row `row_id` in quarantine (any more)."""

    def __init__(self, row_id: str) -> None:
        super().__init__(
            f"there is no row {row_id!r} in quarantine: it may have been replayed already; "
            "python -m local quarantine lists those there are"
        )


class NoSuchBackfillError(NotFoundError):
    """There is no backfill `backfill_id` (any more)."""

    def __init__(self, backfill_id: str) -> None:
        super().__init__(
            f"there is no backfill {backfill_id!r}: it may have ended over 30 days ago; "
            "python -m local backfills lists those there are"
        )


class NoSuchSubscriptionError(NotFoundError):
    """There is no subscription `subscription_id` (any more)."""

    def __init__(self, subscription_id: str) -> None:
        super().__init__(
            f"there is no subscription {subscription_id!r}: GET /api/alert-subscriptions lists those there are"
        )


class NoSuchUploadError(NotFoundError):
    """There is no upload `upload_id` (any more)."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(f"there is no upload {upload_id!r}: it may have ended over 30 days ago")


class ResyncRefusedError(RelayError):
    """A resync is not begun. The message says why, names the one there is and says what to do."""


class BadContinuationError(RelayError):
    """The continuation token of a list is none that the list gave."""

    def __init__(self) -> None:
        super().__init__("the continuation token is none of this list's: take it as it was given, or begin without one")


class NotForUploadError(ConfigurationError):
    """Members of this audience are not uploaded."""

    def __init__(self, namespace: str, audience_id: str) -> None:
        super().__init__(
            f"audience {namespace}/{audience_id}: expected one that the catalog has with the origin custom-upload: "
            "add it to the configuration, or correct its origin, then try again"
        )


class UploadError(RelayError):
    """An upload cannot go on as asked."""


class UploadClosedError(UploadError):
    """The upload was committed already, or ended before it was. The message says which, and what to do."""


class UploadFileMissingError(UploadError):
    """The file of the upload `upload_id` was not written yet."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            f"upload {upload_id!r} has no file yet: write it to the address that the upload gave, then commit again"
        )


class UploadFileChangedError(UploadError):
    """The file of an upload is no longer the one that was committed."""

    def __init__(self) -> None:
        super().__init__("the file was deleted or written again after the commit: upload it again")


class UploadRefusedError(UploadError):
    """The file of an upload cannot be taken. The message names the line and what was expected; it holds no value."""


class UploadTooLargeError(UploadError):
    """The file is too large to be posted."""

    def __init__(self, size: int, most: int) -> None:
        super().__init__(
            f"the file has {size:,} bytes, where at most {most:,} can be posted: create an upload, write the file to "
            "the address that it gives, then commit it"
        )


class ConnectionFailedError(RelayError):
    """A hub cannot be reached, or not be sent to: `kind` is that of the problem, `hubs` those there are, if known."""

    def __init__(self, kind: str, message: str, hubs: tuple[str, ...] | None) -> None:
        super().__init__(message)
        self.kind = kind
        self.hubs = hubs


class ConsumerLagError(RelayError):
    """How far the consumers of a hub are behind cannot be said. The message says why and what to do; `kind` is one of
    LAG_PROBLEMS.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


LAG_PROBLEMS = ("not-named", "refused", "not-found", "forbidden", "unreachable", "no-checkpoints", "hub")
"""What keeps lag from being known: no container is named, it may not be read from here, there is none of this name, the
app may not read it, its account does not answer, it has no checkpoint of the hub, the hub could not be looked at.
"""


class NoCheckpointsError(ConsumerLagError):
    """The container has no checkpoint of `hub`; `others` are hubs that it has some of."""

    def __init__(self, hub: str, others: Sequence[str]) -> None:
        shown = ", ".join(others[:_SHOWN_HUBS]) + (", …" if len(others) > _SHOWN_HUBS else "")
        which = f"those of {shown}" if others else "none at all"
        super().__init__(
            "no-checkpoints",
            f"expected checkpoints of {hub}, found {which}: name the container that its consumers write to",
        )


class SecretError(RelayError):
    """A secret could not be read, stored or deleted. The message names the secret and never tells it."""


class NoSignInError(SecretError):
    """The app's identity has no token, so that where secrets are kept was not asked."""


class NoSecretStoreError(SecretError):
    """This app has no place to keep keys. The message says how to give it one, and how to do without."""


class StorageError(RelayError):
    """Azure Storage did not do what was asked. Nothing is known about whether it was done."""


class StorageSignInError(StorageError):
    """The app's identity has no token, or the account takes none of it: nothing was done. The message says which.

    `asked_ago`: seconds since a token was last asked for in vain; until the next try nothing can have changed.
    """

    asked_ago = 0.0


class RowTooLargeError(StorageError):
    """The row is larger than the service takes."""


class MessageTooLargeError(StorageError):
    """The message is larger than the queue takes."""


class SendError(RelayError):
    """An export to `destination_id` was not acknowledged. It may have been stored all the same.

    `partition` is the id of the hub's partition that it was for, None where the hub as a whole failed.
    """

    def __init__(
        self,
        destination_id: str,
        reason: str,
        code: FailureCode = FailureCode.OTHER,
        partition: str | None = None,
    ) -> None:
        super().__init__(f"destination {destination_id!r}: {reason}")
        self.destination_id = destination_id
        self.reason = reason
        self.code = code
        self.partition = partition


class HeldBackError(SendError):
    """It waits: its partition takes nothing for now, as exports before it have shown, or sign-in fails.

    Neither says that the hub is down.
    """


class ThrottledError(HeldBackError):
    """The hub has asked for patience for so long that whoever waits for it would hold up others."""

    def __init__(
        self,
        destination_id: str,
        reason: str,
        partition: str | None = None,
        code: FailureCode = FailureCode.THROTTLED,
    ) -> None:
        super().__init__(destination_id, reason, code, partition)


class ExportTooLargeError(SendError):
    """The event is larger than the hub takes, so sending it again is in vain."""

    def __init__(self, destination_id: str, reason: str, partition: str | None = None) -> None:
        super().__init__(destination_id, reason, FailureCode.TOO_LARGE, partition)
