"use strict";

// What goes wrong on purpose. The rest of the broker only asks: what happens to this transfer, token or connection?

class InvalidFault extends Error {}

const ON_TRANSFER = {
  throttle: { stores: false, answer: "reject", condition: "com.microsoft:server-busy" },
  reject: { stores: false, answer: "reject", condition: "amqp:internal-error" },
  "quota-exceeded": { stores: false, answer: "reject", condition: "amqp:resource-limit-exceeded" },
  "publisher-revoked": { stores: false, answer: "reject", condition: "com.microsoft:publisher-revoked" },
  "size-exceeded": { stores: false, answer: "reject", condition: "amqp:link:message-size-exceeded" },
  detach: { stores: false, answer: "detach", condition: "amqp:link:detach-forced" },
  "detach-after-store": { stores: true, answer: "detach", condition: "amqp:link:detach-forced" },
  "drop-connection": { stores: false, answer: "drop" },
  "drop-after-store": { stores: true, answer: "drop" },
  stall: { stores: false, answer: "nothing" },
  "stall-after-store": { stores: true, answer: "nothing" },
  delay: { stores: true, answer: "accept" },
};
const NO_FAULT = { stores: true, answer: "accept", delayMs: 0 };
const KINDS = [...Object.keys(ON_TRANSFER), "refuse-connection", "auth-failure"];
const FIELDS = ["hub", "partition", "kind", "count", "after", "delayMs", "condition", "fired"];

class Faults {
  #rules = [];

  replace(rules) {
    if (!Array.isArray(rules)) throw new InvalidFault("send a JSON list of fault rules");
    this.#rules = rules.map(checked);
  }

  list() {
    return this.#rules.map(({ seen, ...rule }) => rule);
  }

  /** `{stores, answer, condition, delayMs}`: whether the events are kept, and what the sender gets to hear. */
  onTransfer(hub, partition) {
    const rule = this.#fire((candidate) => candidate.kind in ON_TRANSFER && applies(candidate, hub, partition));
    if (!rule) return NO_FAULT;
    const plan = ON_TRANSFER[rule.kind];
    return { ...plan, condition: rule.condition ?? plan.condition, delayMs: rule.delayMs ?? 0 };
  }

  refusesToken(hub) {
    return Boolean(this.#fire((rule) => rule.kind === "auth-failure" && applies(rule, hub, null)));
  }

  refusesConnection() {
    return Boolean(this.#fire((rule) => rule.kind === "refuse-connection"));
  }

  dropsConnectionsNow() {
    return this.#rules.some((rule) => rule.kind === "refuse-connection" && rule.after === 0);
  }

  #fire(matches) {
    for (const rule of this.#rules) {
      if (!matches(rule) || (rule.count !== null && rule.fired >= rule.count)) continue;
      if (rule.seen++ < rule.after) continue;
      rule.fired++;
      return rule;
    }
    return undefined;
  }
}

function applies(rule, hub, partition) {
  return (rule.hub === null || rule.hub === hub) && (rule.partition === null || rule.partition === partition);
}

function checked(given) {
  const { hub = null, partition = null, kind, count = null, after = 0, delayMs = null, condition = null } = given ?? {};
  const demand = (holds, what) => {
    if (!holds) throw new InvalidFault(`fault ${JSON.stringify(given)}: ${what}`);
  };
  demand(KINDS.includes(kind), `"kind" is one of ${KINDS.join(", ")}`);
  const unknown = Object.keys(given).filter((field) => !FIELDS.includes(field));
  demand(unknown.length === 0, `unknown field ${unknown.join(", ")}; known are ${FIELDS.join(", ")}`);
  demand(hub === null || typeof hub === "string", '"hub" is a name, or null for all');
  demand(partition === null || typeof partition === "string", '"partition" is an id such as "0", or null for all');
  demand(count === null || (Number.isInteger(count) && count > 0), '"count" is 1 or more, or null for no end');
  demand(Number.isInteger(after) && after >= 0, '"after" is 0 or more');
  demand(delayMs === null || (kind in ON_TRANSFER && delayMs > 0), '"delayMs" is above 0, and for transfers only');
  demand(kind !== "delay" || delayMs !== null, '"delay" needs "delayMs"');
  const conditionFits = condition === null || (kind === "reject" && typeof condition === "string");
  demand(conditionFits, '"condition" is for "reject" only');
  demand(partition === null || kind in ON_TRANSFER, `"${kind}" knows no partition`);
  demand(hub === null || kind !== "refuse-connection", '"refuse-connection" meets all hubs: leave out "hub"');
  return { hub, partition, kind, count, after, delayMs, condition, fired: 0, seen: 0 };
}

module.exports = { Faults, InvalidFault };
