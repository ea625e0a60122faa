"""What saving the mapping form would do, in a line beside its button."""

from collections.abc import Collection, Sequence

from shared.domain.configuration.model import Dataflow
from shared.domain.profile.memberships import AudienceKey
from shared.web.console.words import counted

_NAMED = 2


def clauses(
    before: Dataflow | None, after: Dataflow, removed_attributes: Sequence[str], backfill: str = ""
) -> list[str]:
    """What would change, a clause each; none where nothing would.

    `removed_attributes`: those that consumers could not read any more. `backfill`: what it would come to, empty where
    none follows.
    """
    shown = before or Dataflow(id=after.id)
    was, will_be = _audiences(shown), _audiences(after)
    said = _moved("audience", will_be.keys() - was.keys(), was.keys() - will_be.keys())
    if backfill:
        said.append(f"a backfill of {backfill}")
    had, will_have = set(shown.attributes), set(after.attributes)
    said += _moved("attribute", will_have - had, had - will_have)
    if any(schedule != was.get(key, (None, None)) for key, schedule in will_be.items()):
        said.append("schedules change")
    if shown.consent != after.consent:
        said.append("the consent changes")
    if (shown.triggers, shown.skip_same_value_writes) != (after.triggers, after.skip_same_value_writes):
        said.append("what makes an export changes")
    if removed_attributes:
        many = len(removed_attributes) > _NAMED
        what = counted(len(removed_attributes), "attribute") if many else " and ".join(removed_attributes)
        said.append(f"removes {what} from the contract")
    return said


def _audiences(dataflow: Dataflow) -> dict[AudienceKey, tuple[int | None, int | None]]:
    """The mapped ones with their schedules."""
    return {each.key: (each.active_from, each.active_until) for each in dataflow.audiences}


def _moved(kind: str, added: Collection[object], removed: Collection[object]) -> list[str]:
    """`2 audiences added, 1 removed`."""
    if added:
        return [f"{counted(len(added), kind)} added" + (f", {len(removed):,} removed" if removed else "")]
    return [f"{counted(len(removed), kind)} removed"] if removed else []
