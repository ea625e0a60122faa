"""One event for one subscription: what is remembered of its delivery, and what follows an attempt."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shared.domain.instants import DAY, MINUTE, SECOND, within

RETRY_DELAYS = (15.0, 60.0, 300.0)
"""Seconds before each further attempt; after the last it is given up."""
NOT_ATTEMPTED_DELAY = 60.0
"""Seconds until an attempt that the app could not make is tried anew."""
PATIENCE = 2 * MINUTE
"""How late an attempt may be before its pointer is taken for lost."""
KEPT = 7 * DAY
_LONGEST_ERROR = 500


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class AlertDelivery(BaseModel):
    """`body` is what is sent, the same at every attempt. Times are microseconds; `due_at`: of the next attempt.

    An attempt is counted before it is made: whoever counted it makes it, so that no two make the same.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_id: str
    subscription_id: str
    body: str
    created_at: int
    due_at: int
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    last_attempt_at: int = 0
    error: str = ""

    @property
    def key(self) -> str:
        return delivery_key(self.event_id, self.subscription_id)


def delivery_key(event_id: str, subscription_id: str) -> str:
    return f"{event_id}|{subscription_id}"


def claimed(delivery: AlertDelivery, attempt: int, now: int) -> AlertDelivery | None:
    """The delivery with the attempt counted; None where it is not its turn, or was made already."""
    if delivery.state != DeliveryState.PENDING or attempt != delivery.attempts + 1:
        return None
    return delivery.model_copy(update={"attempts": attempt, "last_attempt_at": now, "due_at": now})


def after_attempt(delivery: AlertDelivery, error: str | None, now: int) -> tuple[AlertDelivery, float | None]:
    """What becomes of it after an attempt that ended with `error`, or well; and after how many seconds the next is due,
    if there is to be one.
    """
    if error is None:
        return delivery.model_copy(update={"state": DeliveryState.DELIVERED, "error": ""}), None
    if delivery.attempts > len(RETRY_DELAYS):
        return given_up(delivery, error), None
    delay = RETRY_DELAYS[delivery.attempts - 1]
    due_at = now + int(delay * SECOND)
    return delivery.model_copy(update={"due_at": due_at, "error": error[:_LONGEST_ERROR]}), delay


def not_attempted(delivery: AlertDelivery, why: str, now: int) -> tuple[AlertDelivery, float]:
    """Take the attempt back that was claimed, for the receiver was not asked; and the seconds to wait."""
    due_at = now + int(NOT_ATTEMPTED_DELAY * SECOND)
    taken_back = {"attempts": delivery.attempts - 1, "due_at": due_at, "error": why[:_LONGEST_ERROR]}
    return delivery.model_copy(update=taken_back), NOT_ATTEMPTED_DELAY


def given_up(delivery: AlertDelivery, error: str) -> AlertDelivery:
    return delivery.model_copy(update={"state": DeliveryState.FAILED, "error": error[:_LONGEST_ERROR]})


def exhausted(delivery: AlertDelivery) -> bool:
    """Whether every attempt was made: then the last was cut off before anybody knew how it ended."""
    return delivery.attempts > len(RETRY_DELAYS)


def delivery_overdue(delivery: AlertDelivery, now: int) -> bool:
    """Whether its pointer seems lost, or whoever made the attempt ended before it did."""
    return (
        delivery.state == DeliveryState.PENDING
        and not within(now - delivery.due_at, PATIENCE)
        and (now > delivery.due_at)
    )


def delivery_outdated(delivery: AlertDelivery, now: int) -> bool:
    return delivery.state != DeliveryState.PENDING and not within(now - delivery.created_at, KEPT)
