"use strict";

const { DEFAULT_GROUP, Hub } = require("./hub.js");
const { notFound } = require("./refusals.js");

class HubConflict extends Error {}

const HUB_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,254}[A-Za-z0-9])?$/;
const GROUP_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,48}[A-Za-z0-9])?$/;
const MOST_PARTITIONS = 1024;
const STATUSES = ["Active", "Disabled", "SendDisabled"];

/** The hubs of the namespace. `consumerGroups` are there in each of them, besides $Default. */
class Hubs {
  #byName = new Map();

  constructor({ retain, clock, consumerGroups }) {
    Object.assign(this, { retain, clock, consumerGroups });
    requireGroups(consumerGroups);
  }

  get(name) {
    return this.#byName.get(name);
  }

  all() {
    return [...this.#byName.values()];
  }

  /** Idempotent: true when the hub is new. What is not given stays as it is. */
  ensure(name, { partitions, geoReplicated, consumerGroups = [], status }) {
    const existing = this.#byName.get(name);
    if (existing) requireSame(existing, { partitions, geoReplicated });
    else requireHub(name, partitions);
    requireGroups(consumerGroups);
    if (status !== undefined && !STATUSES.includes(status)) {
      throw new RangeError(`"status" of hub "${name}" is one of ${STATUSES.join(", ")}`);
    }
    const { retain, clock } = this;
    const hub = existing ?? new Hub(name, partitions, { retain, clock, geoReplicated: geoReplicated === true });
    this.#byName.set(name, hub);
    hub.addConsumerGroups([...this.consumerGroups, ...consumerGroups]);
    if (status !== undefined) hub.setStatus(status);
    return !existing;
  }

  delete(name) {
    const hub = this.#byName.get(name);
    if (!hub) return false;
    this.#byName.delete(name);
    hub.closeLinks(hub.links(), notFound(name, "It was deleted.").error);
    return true;
  }
}

function requireHub(name, partitions) {
  if (!HUB_NAME.test(name)) {
    throw new RangeError(`"${name}" is no hub name: use letters, digits, ".", "-" and "_"`);
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MOST_PARTITIONS) {
    throw new RangeError(`hub "${name}" needs 1 to ${MOST_PARTITIONS} partitions, a whole number`);
  }
}

function requireSame(hub, { partitions, geoReplicated }) {
  const { length } = hub.partitions;
  if (partitions !== undefined && length !== partitions) {
    throw new HubConflict(
      `hub "${hub.name}" has ${length} partitions, which cannot change to ${partitions}: ` +
        "delete the hub first, or use another name",
    );
  }
  if (geoReplicated !== undefined && hub.geoReplicated !== geoReplicated) {
    throw new HubConflict(`hub "${hub.name}" keeps "geoReplicated" as it was created: delete the hub first`);
  }
}

function requireGroups(names) {
  const valid = Array.isArray(names) && names.every((name) => name === DEFAULT_GROUP || GROUP_NAME.test(name));
  if (!valid) {
    const advice = 'each of letters, digits, ".", "-" and "_", 50 at most';
    throw new RangeError(`${JSON.stringify(names)} is no list of consumer groups: ${advice}`);
  }
}

module.exports = { HubConflict, Hubs };
