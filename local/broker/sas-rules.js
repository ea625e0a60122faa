"use strict";

// The shared access policies of the namespace: which key may do what.

const CLAIMS = ["Manage", "Send", "Listen"];

class InvalidRule extends Error {}

class SasRules {
  #byName = new Map();

  get(name) {
    return this.#byName.get(name);
  }

  /** Names and claims; keys are told to nobody. */
  list() {
    return [...this.#byName.entries()].map(([name, { claims }]) => ({ name, claims }));
  }

  /** Idempotent: true when the rule is new. Another key for the same name ends the old one. */
  ensure(name, key, claims) {
    if (typeof key !== "string" || key === "") throw new InvalidRule('"key" is a text that is not empty');
    const valid = Array.isArray(claims) && claims.length > 0 && claims.every((claim) => CLAIMS.includes(claim));
    if (!valid) throw new InvalidRule(`"claims" is a list of ${CLAIMS.join(", ")}`);
    const isNew = !this.#byName.has(name);
    // Who may manage may do the rest, too.
    this.#byName.set(name, { key, claims: claims.includes("Manage") ? CLAIMS : claims });
    return isNew;
  }

  delete(name) {
    return this.#byName.delete(name);
  }
}

module.exports = { CLAIMS, InvalidRule, SasRules };
