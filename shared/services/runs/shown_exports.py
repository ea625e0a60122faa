"""The last exports to a destination with what they say: made again from the profiles, for no body is kept."""

from dataclasses import dataclass
from enum import StrEnum

from shared.concurrency import all_of
from shared.domain.configuration.model import Configuration
from shared.domain.configuration.targets import Targets
from shared.domain.exports.export import export_body
from shared.domain.exports.sent_export import SentExport
from shared.ports.profiles import ProfileStore, StoredProfile
from shared.services.runs.last_exports import LastExports


class BodyState(StrEnum):
    """`sent`: the body is what was sent. `changed`: the profile or the mapping has changed, and it is what would be
    sent now. `unmapped`: nothing would be; `forgotten`: nothing is known of the profile any more. Bodies are without
    the member `_export`, which tells of what is not kept.
    """

    SENT = "sent"
    CHANGED = "changed"
    UNMAPPED = "unmapped"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class ShownExport:
    """`profile_id` and `body` are None where there is none any more."""

    sent: SentExport
    state: BodyState
    profile_id: str | None = None
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownExports:
    last: LastExports
    profiles: ProfileStore

    async def of(self, destination_id: str, configuration: Configuration) -> list[ShownExport]:
        """The latest first; reads each profile once. Raises StorageError."""
        last = await self.last.of(destination_id)
        keys = list(dict.fromkeys(sent.profile_key for sent in last))
        profiles = dict(zip(keys, await all_of(map(self.profiles.find, keys)), strict=True))
        targets = Targets.of(configuration)
        return [_shown(sent, profiles[sent.profile_key], destination_id, targets) for sent in last]


def _shown(sent: SentExport, profile: StoredProfile | None, destination_id: str, targets: Targets) -> ShownExport:
    if profile is None or (profile.state.deletion is not None and profile.state.empty):
        return ShownExport(sent, BodyState.FORGOTTEN)
    state, target = profile.state, targets.by_id.get(destination_id)
    if target is None or not any(audience in target.mapped for audience in state.memberships):
        return ShownExport(sent, BodyState.UNMAPPED, state.profile_id)
    same = (state.version, target.revision) == (sent.version, sent.config_revision)
    body = export_body(state, target, targets.catalog)
    return ShownExport(sent, BodyState.SENT if same else BodyState.CHANGED, state.profile_id, body)
