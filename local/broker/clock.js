"use strict";

const TICK_MS = 1000;

/** The broker's time. It can be set ahead of the machine's, so that no test waits for what takes half an hour. */
class Clock {
  #aheadMs = 0;
  #checks = [];

  constructor() {
    setInterval(() => this.#check(), TICK_MS).unref();
  }

  now() {
    return Date.now() + this.#aheadMs;
  }

  /** Calls `check` each second, and whenever the clock is set. */
  onTick(check) {
    this.#checks.push(check);
  }

  setAhead(milliseconds) {
    this.#check(); // whatever happened until now was not idle for as long as the clock jumps
    this.#aheadMs = milliseconds;
    this.#check();
  }

  #check() {
    for (const check of this.#checks) check();
  }
}

module.exports = { Clock };
