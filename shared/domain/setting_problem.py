"""One thing that is wrong with an app setting, and what cannot work for it."""

from dataclasses import dataclass

EVERYTHING = "every function"
EVERY_TIMER = "every timer"
EVERY_QUEUE = "every function of a queue"
CHANGES = "export_profile_changes"
SENDING = "sending by this connection"


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """`problem` says what is expected of `setting`, and nothing of its value.

    `stops`: the function that cannot work, or words for several; empty where all work, if not as it seems.
    """

    setting: str
    problem: str
    stops: str = ""

    @property
    def is_error(self) -> bool:
        return bool(self.stops)

    def __str__(self) -> str:
        effect = f" (stops {self.stops})" if self.stops else ""
        return f"app setting {self.setting}: {self.problem}{effect}"
