"""What Azure asks for what a backfill takes, in US dollars at list price (East US, pay as you go).

From bench/prices.json, which names sources and dates.
"""

HUB_EVENT = 0.028 / 1_000_000
"""For an event of up to BILLED_EVENT_BYTES."""
BILLED_EVENT_BYTES = 64 * 1024
THROUGHPUT_UNIT_HOUR = 0.03
TABLE_REQUEST = 0.00036 / 10_000
GIGABYTE_SECOND = 0.000026
"""Of an instance that executes."""
INSTANCE_GIGABYTES = 2

UNIT_EVENTS = 1_000
UNIT_BYTES = 1_000_000
"""What a throughput unit takes in a second: whichever is reached first."""
