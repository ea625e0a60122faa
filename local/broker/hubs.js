"use strict";

const { PartitionLog } = require("./partition-log.js");

class HubConflict extends Error {}

const HUB_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,254}[A-Za-z0-9])?$/;
const MOST_PARTITIONS = 1024;

class Hub {
  #nextInTurn = 0;
  #links = new Map();

  constructor(name, partitions, retain) {
    this.name = name;
    this.createdAt = new Date();
    this.partitions = Array.from({ length: partitions }, (_, index) => new PartitionLog(String(index), retain));
    this.counters = { transfers: 0, events: 0, bytes: 0, rejected: 0 };
  }

  partition(id) {
    return this.partitions.find((partition) => partition.id === id);
  }

  /** The same partition for the same key, always; without a key, each partition in turn. */
  choosePartition(partitionKey) {
    const index = partitionKey === null ? this.#nextInTurn++ : fnv1a(partitionKey);
    return this.partitions[index % this.partitions.length];
  }

  attach(link, onClosed = () => {}) {
    this.#links.set(link, onClosed);
  }

  forget(link) {
    this.#links.get(link)?.();
    return this.#links.delete(link);
  }

  forgetWhere(matches) {
    for (const link of [...this.#links.keys()].filter(matches)) this.forget(link);
  }

  links() {
    return [...this.#links.keys()];
  }

  closeLinks(links, error) {
    for (const link of links) {
      this.forget(link);
      link.close(error);
    }
  }

  hasLink(link) {
    return this.#links.has(link);
  }

  stats() {
    const links = [...this.#links.keys()];
    const connections = new Set(links.map((link) => link.connection));
    return { ...this.counters, connectionsOpen: connections.size, linksOpen: links.length };
  }
}

class Hubs {
  #byName = new Map();

  constructor(retain) {
    this.retain = retain;
  }

  get(name) {
    return this.#byName.get(name);
  }

  all() {
    return [...this.#byName.values()];
  }

  /** Idempotent: true when the hub is new. */
  ensure(name, partitions) {
    if (!HUB_NAME.test(name)) {
      throw new RangeError(`"${name}" is no hub name: use letters, digits, ".", "-" and "_"`);
    }
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > MOST_PARTITIONS) {
      throw new RangeError(`hub "${name}" needs 1 to ${MOST_PARTITIONS} partitions, a whole number`);
    }
    const existing = this.#byName.get(name);
    if (!existing) {
      this.#byName.set(name, new Hub(name, partitions, this.retain));
      return true;
    }
    if (existing.partitions.length !== partitions) {
      throw new HubConflict(
        `hub "${name}" has ${existing.partitions.length} partitions, which cannot change to ${partitions}: ` +
          "delete the hub first, or use another name",
      );
    }
    return false;
  }

  delete(name) {
    const hub = this.#byName.get(name);
    if (!hub) return false;
    this.#byName.delete(name);
    hub.closeLinks(hub.links(), { condition: "amqp:not-found", description: `hub "${name}" was deleted` });
    return true;
  }
}

function fnv1a(text) {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

module.exports = { HubConflict, Hubs };
