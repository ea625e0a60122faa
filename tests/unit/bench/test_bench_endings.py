"""What is said of an ending: the delays of what was there, of what came after, and what came twice or not at all."""

import math

from bench.relay.real_host.endings import AFTER_SECONDS, Delays


def test_delays_are_of_what_was_there_and_of_what_came_after() -> None:
    began = 1_000.0
    sent_at = {0: 990.0, 1: 999.0, 2: 998.0, 3: began, 4: began + 1, 5: began + AFTER_SECONDS, 6: 999.5}
    exports = {
        0: [991.0],  # done before
        1: [1_062.0, 1_070.0],
        2: [1_001.0],
        3: [1_009.0],
        4: [1_001.5],
        5: [1_031.0],  # long after
    }
    delays = Delays()
    delays.add(sent_at, exports, began)
    assert (delays.waiting, delays.after) == ([3.0, 63.0], [0.5, 9.0])
    assert (delays.duplicates, delays.lost) == (1, 1)
    assert str(delays) == "2 | 63.0 | 63.0 | 63.0 | 2 | 9.0 | 9.0 | 9.0 | 1 | 1"


def test_rounds_are_added_and_nothing_is_no_delay() -> None:
    delays = Delays()
    assert str(delays) == "0 | nan | nan | nan | 0 | nan | nan | nan | 0 | 0"
    delays.add({0: 9.0}, {0: [12.0]}, 10.0)
    delays.add({1: 19.0}, {1: [20.5]}, 20.0)
    assert delays.waiting == [1.5, 3.0]
    assert not math.isnan(max(delays.waiting))
