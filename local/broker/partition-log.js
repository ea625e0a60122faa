"use strict";

const POSITION = /^amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time) (>=?) '(.*)'$/;
const FIELD_OF = { offset: "offset", "sequence-number": "sequenceNumber", "enqueued-time": "enqueuedAt" };

class InvalidPosition extends Error {}

/** The events of one partition, oldest first; the oldest are forgotten past `retain`. */
class PartitionLog {
  #events = new Map();
  #readers = new Set();
  #nextOffset = 0;

  constructor(id, retain) {
    this.id = id;
    this.retain = retain;
    this.firstSequenceNumber = 0;
    this.nextSequenceNumber = 0;
    this.last = null;
  }

  append(messages, partitionKey) {
    // A clock that is set back must not break the order that starting positions are searched by.
    const enqueuedAt = Math.max(Date.now(), this.last?.enqueuedAt ?? 0);
    for (const message of messages) {
      this.last = {
        sequenceNumber: this.nextSequenceNumber++,
        offset: this.#nextOffset,
        enqueuedAt,
        partitionKey,
        message,
      };
      this.#nextOffset += message.length;
      this.#events.set(this.last.sequenceNumber, this.last);
      if (this.#events.size > this.retain) this.#events.delete(this.firstSequenceNumber++);
    }
    for (const wake of this.#readers) wake();
  }

  get(sequenceNumber) {
    return this.#events.get(sequenceNumber);
  }

  /** Calls `wake` after each append; returns the function that ends it. */
  follow(wake) {
    this.#readers.add(wake);
    return () => this.#readers.delete(wake);
  }

  /** The sequence number a receiver starts at, from the SDK's filter expression (none: the oldest event). */
  startOf(expression) {
    if (expression === undefined) return this.firstSequenceNumber;
    const parsed = POSITION.exec(expression);
    if (!parsed) throw new InvalidPosition(`"${expression}" is no starting position that this broker knows`);
    const [, field, operator, value] = parsed;
    if (value === "@latest") return this.nextSequenceNumber;
    const limit = Number(value);
    if (value === "" || Number.isNaN(limit)) throw new InvalidPosition(`"${value}" in "${expression}" is no number`);
    const key = FIELD_OF[field];
    return this.#firstWhere((event) => (operator === ">=" ? event[key] >= limit : event[key] > limit));
  }

  #firstWhere(matches) {
    let low = this.firstSequenceNumber;
    let high = this.nextSequenceNumber;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (matches(this.#events.get(middle))) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

module.exports = { InvalidPosition, PartitionLog };
