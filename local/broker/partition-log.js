"use strict";

const { beyondTheEnd, invalidArgument, invalidGeoReplicationOffset } = require("./refusals.js");

// .NET leaves the quotes out.
const POSITION = /^amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time) (>=?) ('?)(.*)\3$/;
const FIELDS = {
  offset: { key: "offset", name: "offset" },
  "sequence-number": { key: "sequenceNumber", name: "sequence number" },
  "enqueued-time": { key: "enqueuedAt", name: "enqueued time" },
};
const FROM_THE_BEGINNING = "-1";
const GEO_REPLICATED = /^1:(\d+)$/;

/** The events of one partition, oldest first; the oldest are forgotten past `retain`. */
class PartitionLog {
  #events = new Map();
  #readers = new Set();
  #nextOffset = 0;
  #clock;
  #geoReplicated;

  constructor(id, { retain, clock, geoReplicated }) {
    this.id = id;
    this.retain = retain;
    this.#clock = clock;
    this.#geoReplicated = geoReplicated;
    this.firstSequenceNumber = 0;
    this.nextSequenceNumber = 0;
    this.last = null;
  }

  append(messages, partitionKey) {
    // A clock that is set back must not break the order that starting positions are searched by.
    const enqueuedAt = Math.max(this.#clock.now(), this.last?.enqueuedAt ?? 0);
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

  /** As clients get to see it: no number where the hub is geo-replicated. */
  offsetOf(event) {
    return this.#geoReplicated ? `1:${event.offset}` : String(event.offset);
  }

  /** What a reader that asks for it is told along with each event; only where there is one. */
  lastEnqueued() {
    const { sequenceNumber, enqueuedAt } = this.last;
    return { sequenceNumber, enqueuedAt, offset: this.offsetOf(this.last), retrievedAt: this.#clock.now() };
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
    if (!parsed) throw invalidArgument(`"${expression}" is no starting position that this broker knows`);
    const [, field, operator, , value] = parsed;
    if (value === "@latest") return this.nextSequenceNumber;
    if (value === FROM_THE_BEGINNING) return this.firstSequenceNumber;
    const { key, name } = FIELDS[field];
    const limit = this.#numberOf(field, value, expression);
    const last = this.last?.[key] ?? -1;
    // A checkpoint of a hub that was deleted and made anew: taken, it would skip events in silence.
    if (key !== "enqueuedAt" && limit > last) throw beyondTheEnd(name, value, last);
    return this.#firstWhere((event) => (operator === ">=" ? event[key] >= limit : event[key] > limit));
  }

  #numberOf(field, value, expression) {
    let digits = value;
    if (field === "offset" && this.#geoReplicated) {
      digits = GEO_REPLICATED.exec(value)?.[1];
      if (digits === undefined) throw invalidGeoReplicationOffset(value);
    }
    const number = Number(digits);
    if (digits === "" || Number.isNaN(number)) throw invalidArgument(`"${value}" in "${expression}" is no number`);
    return number;
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

module.exports = { PartitionLog };
