"""What people configure: audiences, destinations and what is activated to each. One declarative file describes it."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel

from shared.domain.configuration.checkpoint_container import parse_checkpoint_container
from shared.domain.configuration.paths import MAX_KEYS, format_path, parse_path
from shared.domain.configuration.static_properties import StaticProperties
from shared.domain.instants import YEAR_2000_MS, parse_instant
from shared.domain.namespaces import parse_namespace
from shared.domain.problems import describe_problems
from shared.domain.profile.memberships import AudienceKey
from shared.errors import ConfigurationError, NotConfiguredError

AUDIENCES_PER_DATAFLOW = 250
ATTRIBUTES_PER_DATAFLOW = 50
DESTINATIONS = 100


AS_STORED = {"stored": True}
"""The validation context of a configuration that was accepted before, maybe by an earlier release: what only people can
mend must not stop the app.
"""


def _epoch_milliseconds(value: Any) -> Any:
    return parse_instant(value) // 1_000 if isinstance(value, str) else value


def _scheduled_time(time_ms: int, info: ValidationInfo) -> int:
    """A start that is given in seconds would be one of long ago, and map the audience at once."""
    if info.context != AS_STORED and time_ms < YEAR_2000_MS:
        raise ValueError("expected ISO 8601 or milliseconds since 1970 (not seconds), from 2000 on")
    return time_ms


def _attribute_path(text: str, info: ValidationInfo) -> str:
    keys = parse_path(text)
    if info.context != AS_STORED and len(keys) > MAX_KEYS:
        raise ValueError(f"expected at most {MAX_KEYS} keys: no attribute lies deeper")
    return format_path(keys)


def _mapped_audience(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


def _each_once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("expected each namespace once")
    return names


EpochMilliseconds = Annotated[int, BeforeValidator(_epoch_milliseconds, json_schema_input_type=int | str)]
# Up to the end of the year 9999, the last that ISO 8601 can write.
ScheduledTime = Annotated[EpochMilliseconds, Field(ge=0, le=253_402_300_799_999), AfterValidator(_scheduled_time)]
AttributePath = Annotated[str, AfterValidator(_attribute_path)]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
SettingName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,126}$")]
Text = Annotated[str, Field(min_length=1, max_length=512)]
IdentityNamespaces = Annotated[list[Text], AfterValidator(_each_once)]
# Whether a local one may be used shows where it is used: a configuration does not know where it is read.
Namespace = Annotated[str, AfterValidator(lambda text: parse_namespace(text, local_allowed=True))]
CheckpointContainerUrl = Annotated[Text, AfterValidator(lambda text: parse_checkpoint_container(text).url)]
# An hour is the least that Event Hubs keep events for, 90 days the most of any tier.
RetentionHours = Annotated[int, Field(ge=1, le=2_160)]
RETENTION_HOURS = 24
# So that whoever may manage destinations cannot have the app read other secrets of the vault.
SecretName = Annotated[str, Field(pattern=r"^profile-relay-[a-z0-9-]{1,100}$")]


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True, strict=True)


class Audience(_Model):
    """An entry of the catalog. Times are exported in epoch milliseconds and may be written as ISO 8601, too."""

    id: Text
    namespace: Text = "ups"
    name: str = ""
    merge_policy_id: str | None = None
    origin: Literal["segmentation", "custom-upload"] = "segmentation"
    created_at: EpochMilliseconds | None = None
    updated_at: EpochMilliseconds | None = None

    @property
    def key(self) -> AudienceKey:
        return self.namespace, self.id


class SecretReference(_Model):
    """A secret where the app keeps them; no `version` means whichever is the newest."""

    model_config = ConfigDict(frozen=True)

    name: SecretName
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,64}$")] | None = None


class SasAuthentication(_Model):
    """A shared access key, which is kept as a secret. Hint (last four characters) and fingerprint tell keys apart."""

    model_config = ConfigDict(frozen=True)

    type: Literal["sas"]
    namespace: Namespace
    key_name: Text
    secret: SecretReference
    key_hint: Annotated[str, Field(max_length=4)] = ""
    key_fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")] | None = None


class IdentityAuthentication(_Model):
    """The app's own identity; `client_id` names a user-assigned one."""

    model_config = ConfigDict(frozen=True)

    type: Literal["managed-identity"]
    namespace: Namespace
    client_id: Annotated[str, Field(pattern=r"^[0-9A-Fa-f-]{1,64}$")] | None = None


Authentication = SasAuthentication | IdentityAuthentication


class Destination(_Model):
    """An Event Hub and how its exports look.

    `connection` names the app setting that holds the connection string, or whose `__fullyQualifiedNamespace`
    variant names the namespace to be reached with the app's identity; `authentication` goes before it where it is
    given. Secrets are never part of the configuration. `identity_namespaces` are those of the identity map that are
    exported; None is all of them, an empty list none. `include_export_metadata`: bodies have the member `_export`, with
    what travels beside them; `static_properties` travel beside them, too. `keyed`: events carry a partition key, which
    changes nothing about where they go. `settle`: a profile is sent once more where its last event may not be that of
    its greatest version. `resync_by_message`: whether a message of the queue of profile changes may ask for a resync.
    `consumer_checkpoints`: the URL of the blob container in which the hub's consumers keep their checkpoints,
    `retention_hours`: for how long the hub keeps events, which no request tells the app.
    """

    id: Identifier
    name: Text
    description: str = ""
    connection: SettingName = "EVENTHUBS"
    authentication: Annotated[Authentication, Field(discriminator="type")] | None = None
    event_hub_name: Text
    include_segment_names: bool = False
    include_segment_timestamps: bool = False
    only_mapped_audiences: bool = False
    identity_namespaces: IdentityNamespaces | None = None
    include_export_metadata: bool = False
    static_properties: StaticProperties = Field(default_factory=dict)
    keyed: bool = False
    settle: bool = False
    resync_by_message: bool = False
    consumer_checkpoints: CheckpointContainerUrl | None = None
    retention_hours: RetentionHours = RETENTION_HOURS


class MappedAudience(_Model):
    """With `active_from` or `active_until` it counts as mapped from the one until the other, exclusive: outside of that
    it has no mapping times.
    """

    id: Text
    namespace: Text = "ups"
    mapping_created_at: EpochMilliseconds | None = None
    mapping_updated_at: EpochMilliseconds | None = None
    active_from: ScheduledTime | None = None
    active_until: ScheduledTime | None = None

    @model_validator(mode="after")
    def _refuse_an_end_before_the_start(self) -> "MappedAudience":
        if self.active_from is not None and self.active_until is not None and self.active_until <= self.active_from:
            raise ValueError("expected activeUntil to be later than activeFrom")
        return self

    @property
    def key(self) -> AudienceKey:
        return self.namespace, self.id

    @property
    def scheduled(self) -> bool:
        return self.active_from is not None or self.active_until is not None

    @property
    def active(self) -> bool:
        """Whether it counts as mapped, by the last plan: no clock decides on exports."""
        return not self.scheduled or self.mapping_created_at is not None

    def active_at(self, now_ms: int) -> bool:
        """Whether its schedule, if it has one, has it count as mapped then."""
        return (self.active_from is None or self.active_from <= now_ms) and not self.over_at(now_ms)

    def over_at(self, now_ms: int) -> bool:
        return self.active_until is not None and self.active_until <= now_ms


# docs/rules.md, "What triggers an export"; the docstring is part of the schemas.
class Triggers(_Model):
    """Which changes are exported."""

    audience: bool = True
    attribute: bool = True
    identity: bool = True


class Dataflow(_Model):
    """What is activated to the destination of the same id. Attributes are JSON Pointers or dotted paths.

    `consent`: the attribute that must be `true`, "y" or "yes" for a profile to be exported, if set.
    """

    id: Identifier
    audiences: list[
        Annotated[MappedAudience, BeforeValidator(_mapped_audience, json_schema_input_type=MappedAudience | str)]
    ] = Field(default_factory=list)
    attributes: list[AttributePath] = Field(default_factory=list)
    consent: AttributePath | None = None
    triggers: Triggers = Field(default_factory=Triggers)
    skip_same_value_writes: bool = False
    enabled: bool = True

    @property
    def active_audiences(self) -> list[MappedAudience]:
        """Those that count as mapped: all but those whose schedule has not begun or is over."""
        return [audience for audience in self.audiences if audience.active]


Entry = TypeVar("Entry", Audience, Destination, Dataflow)


class ConfigurationFile(_Model):
    """The declarative file of `python -m local apply`."""

    model_config = ConfigDict(title="Profile Relay configuration")

    schema_: str | None = Field(default=None, alias="$schema", description="For editors; not read")
    audiences: list[Audience] = Field(default_factory=list)
    destinations: list[Destination] = Field(default_factory=list)
    dataflows: list[Dataflow] = Field(default_factory=list)

    @model_validator(mode="after")
    def _refuse_duplicates(self) -> "ConfigurationFile":
        _unique("audiences", [audience.key for audience in self.audiences])
        _unique("destinations", [destination.id for destination in self.destinations])
        _unique("dataflows", [dataflow.id for dataflow in self.dataflows])
        for index, dataflow in enumerate(self.dataflows):
            _unique(f"dataflows/{index}/audiences", [audience.key for audience in dataflow.audiences])
            _unique(f"dataflows/{index}/attributes", dataflow.attributes)
        return self


class AudienceReference(_Model):
    id: Text
    namespace: Text = "ups"

    @property
    def key(self) -> AudienceKey:
        return self.namespace, self.id


class RequestedBackfill(_Model):
    """A backfill that a change of the configuration calls for, until `run_backfill` has taken note of it.

    It stands in the same document as that change, so that neither is ever saved without the other; `revision` is the
    document's with which it came. `audiences` None means all that the dataflow maps. With `since`, only profiles that
    were saved since then count, except in audiences that are `new` to the dataflow since then.
    """

    id: Text
    destination: Identifier
    requested_at: EpochMilliseconds
    revision: int
    audiences: list[AudienceReference] | None = None
    since: EpochMilliseconds | None = None
    new: list[AudienceReference] = Field(default_factory=list)


class Pause(_Model):
    """Since when a dataflow is paused, and what was mapped meanwhile."""

    since: EpochMilliseconds
    new: list[AudienceReference] = Field(default_factory=list)


class Shadow(_Model):
    """A candidate mapping, decided on beside the live dataflow of its id from `started_at` until `ends_at`; nothing of
    it is ever sent.

    `candidate` is as it was given, without times of its own for newly mapped audiences. `revision` is the document's
    with which it came, `live_revision` the `configRevision` of the live mapping by then.
    """

    candidate: Dataflow
    started_at: EpochMilliseconds
    ends_at: EpochMilliseconds
    revision: int
    live_revision: int

    @property
    def id(self) -> str:
        return self.candidate.id


class Configuration(_Model):
    """All that is configured, as it is stored: one document, so that every reader sees one moment of it.

    `revision` grows with each change of the document; `revisions` holds, for each destination, the revision at
    which its exports last changed their look or their choice (the `configRevision` of its exports). `shadows`: one for
    a dataflow at most.
    """

    revision: int = 0
    audiences: list[Audience] = Field(default_factory=list)
    destinations: list[Destination] = Field(default_factory=list)
    dataflows: list[Dataflow] = Field(default_factory=list)
    revisions: dict[str, int] = Field(default_factory=dict)
    pauses: dict[str, Pause] = Field(default_factory=dict)
    requested_backfills: list[RequestedBackfill] = Field(default_factory=list)
    shadows: list[Shadow] = Field(default_factory=list)

    def audience(self, key: AudienceKey) -> Audience:
        """Raises NotConfiguredError."""
        return _found("audience", (each for each in self.audiences if each.key == key))

    def destination(self, destination_id: str) -> Destination:
        """Raises NotConfiguredError."""
        return _found("destination", (each for each in self.destinations if each.id == destination_id))

    def dataflow(self, destination_id: str) -> Dataflow:
        """That of the destination. Raises NotConfiguredError."""
        return _found("dataflow", (each for each in self.dataflows if each.id == destination_id))

    def with_dataflow(self, dataflow: Dataflow) -> "Configuration":
        """The same, were this the dataflow of its destination."""
        dataflows = {each.id: each for each in self.dataflows} | {dataflow.id: dataflow}
        return self.model_copy(update={"dataflows": list(dataflows.values())})

    def shadow(self, destination_id: str) -> Shadow | None:
        """That of the destination's dataflow, if there is one, running or over."""
        return next((each for each in self.shadows if each.id == destination_id), None)


def parse_configuration_file(document: Any) -> ConfigurationFile:
    """Check a declarative file. Raises ConfigurationError, a line for each problem with the path of its place."""
    try:
        return ConfigurationFile.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError("\n".join(describe_problems(error))) from None


def _found(kind: str, entries: Iterator[Entry]) -> Entry:
    for entry in entries:
        return entry
    raise NotConfiguredError(kind)


def _unique(path: str, keys: Sequence[str | AudienceKey]) -> None:
    seen: set[str | AudienceKey] = set()
    for index, key in enumerate(keys):
        if key in seen:
            name = "/".join(key) if isinstance(key, tuple) else key
            raise ValueError(f"expected each entry once, but /{path}/{index} repeats {name}")
        seen.add(key)
