"use strict";

const { partitionOfKey } = require("./partition-hash.js");
const { PartitionLog } = require("./partition-log.js");
const { admit } = require("./readers.js");
const { disabled, displaced } = require("./refusals.js");

const DEFAULT_GROUP = "$Default";

/** Partitions, consumer groups, and the links of whoever sends and reads. */
class Hub {
  #nextInTurn = 0;
  #links = new Map();
  #groups = [DEFAULT_GROUP];

  constructor(name, partitions, { retain, clock, geoReplicated }) {
    this.name = name;
    this.status = "Active";
    this.geoReplicated = geoReplicated;
    this.createdAt = new Date(clock.now());
    const log = (_, index) => new PartitionLog(String(index), { retain, clock, geoReplicated });
    this.partitions = Array.from({ length: partitions }, log);
    this.counters = { transfers: 0, events: 0, bytes: 0, rejected: 0 };
  }

  get consumerGroups() {
    return [...this.#groups];
  }

  addConsumerGroups(names) {
    for (const name of names) if (!this.hasConsumerGroup(name)) this.#groups.push(name);
  }

  hasConsumerGroup(name) {
    return this.#groups.some((group) => group.toLowerCase() === name.toLowerCase());
  }

  partition(id) {
    return this.partitions.find((partition) => partition.id === id);
  }

  /** The same partition for the same key, always; without a key, each partition in turn. */
  choosePartition(partitionKey) {
    const count = this.partitions.length;
    const index = partitionKey === null ? this.#nextInTurn++ % count : partitionOfKey(partitionKey, count);
    return this.partitions[index];
  }

  /** Throws Refused where the hub's status lets no link of this kind be. */
  requireOpenFor(link) {
    if (this.#isClosedFor(link)) throw disabled(this.name);
  }

  #isClosedFor(link) {
    return this.status === "Disabled" || (this.status === "SendDisabled" && link.is_receiver());
  }

  /** Closes the links that the status does not let be. */
  setStatus(status) {
    this.status = status;
    this.closeLinks(this.links().filter((link) => this.#isClosedFor(link)), disabled(this.name).error);
  }

  attach(link) {
    this.#links.set(link, {});
  }

  /** `reader` is `{group, partition, name, level}`. Lets it in or throws Refused; whom it displaces is put out. */
  attachReader(link, reader) {
    const beside = [...this.#links.entries()].filter(
      ([, other]) => other.reader?.group === reader.group && other.reader.partition === reader.partition,
    );
    const out = admit(
      reader,
      beside.map(([, other]) => other.reader),
    );
    for (const [other, { reader: its }] of beside) {
      if (out.includes(its)) this.closeLinks([other], displaced(reader, its).error);
    }
    this.#links.set(link, { reader });
  }

  /** What ends the reading of a link that is attached. */
  whenForgotten(link, stop) {
    this.#links.get(link).stop = stop;
  }

  forget(link) {
    this.#links.get(link)?.stop?.();
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

module.exports = { DEFAULT_GROUP, Hub };
