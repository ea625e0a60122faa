"""What the measurement of kills makes of exports and of what is left."""

from bench.relay.real_host.kills import LATE_SECONDS, Kill, Kills, judge


def test_a_message_is_late_with_its_last_change_and_what_is_left_comes_twice() -> None:
    kills = Kills([Kill(1_000, 3, range(8)), Kill(2_000, 1, range(8, 10))])
    on_time, late = 1_000 + LATE_SECONDS, 1_000 + LATE_SECONDS + 1
    exports: dict[int, list[float]] = {8: [2_001], 9: [2_002]}
    exports |= {0: [900], 1: [on_time], 2: [late, 950], 3: [900, on_time, late], 4: [900], 5: [late], 7: [900]}

    judge(kills, exports, left=3, changes_a_message=2)

    assert [kill.late for kill in kills.kills] == [2, 0]  # of 4 and 5, and of 6 and 7
    assert kills.duplicates == 3
    assert kills.to_come == 4  # of the three that are left, that of 6 and 7 was never exported as a whole
