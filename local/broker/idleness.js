"use strict";

/** Who has done nothing for how long, by a number that changes with all that one does. */
class Idleness {
  #seen = new Map();

  constructor({ clock, activityOf, limitMs }) {
    Object.assign(this, { clock, activityOf, limitMs });
  }

  /** Those of `present` whose activity has been the same for `limitMs`; the others are remembered for the next time. */
  idle(present) {
    const now = this.clock.now();
    const seen = new Map();
    const idle = [];
    for (const each of present) {
      const activity = this.activityOf(each);
      const before = this.#seen.get(each);
      const since = before?.activity === activity ? before.since : now;
      if (now - since >= this.limitMs) idle.push(each);
      else seen.set(each, { activity, since });
    }
    this.#seen = seen;
    return idle;
  }
}

module.exports = { Idleness };
