"""Words that somebody may meet for the first time on a page, as docs/concepts.md explains them."""

WORDS = {
    "catalog": "the audiences that upstream, the API or a file told the app of, with their names; "
    "others can be mapped by their ids",
    "merge policy": "the rule by which upstream made one profile of what several systems know; "
    "an audience is evaluated by one",
    "parked": "not tried for now, because the destination is down or paused: it is sent by itself when that is over",
    "dead": "every attempt has failed, or none can succeed: it waits until somebody redrives it",
    "retrying": "to be tried again by itself, within minutes",
    "ups": "the namespace that an audience's id is in where it names none: "
    "that of the audiences which upstream evaluates itself",
}
