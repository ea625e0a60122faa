"use strict";

const { createHmac, timingSafeEqual } = require("node:crypto");

class TokenRefused extends Error {}

const withoutScheme = (uri) => uri.replace(/^[a-z]+:\/\//i, "").replace(/\/+$/, "");

/** Checks a shared access signature as Event Hubs does; `{keyName, claims, expiresAt}`, which is in seconds. */
function verifyToken(token, audience, rules) {
  const [kind, query] = token.split(" ", 2);
  if (kind !== "SharedAccessSignature" || !query) throw new TokenRefused("the token is no SharedAccessSignature");
  // The signature covers `sr` as it was encoded by the signer, so the raw text is needed beside the decoded one.
  const signedResource = /(?:^|&)sr=([^&]*)/.exec(query)?.[1] ?? "";
  const fields = new URLSearchParams(query);
  const keyName = fields.get("skn");
  const rule = rules.get(keyName);
  if (!rule) {
    const known = rules.list().map(({ name }) => `"${name}"`);
    throw new TokenRefused(`the key name is "${keyName}"; this broker knows ${known.join(", ")}`);
  }
  const expected = createHmac("sha256", rule.key).update(`${signedResource}\n${fields.get("se")}`).digest();
  const signature = Buffer.from(fields.get("sig") ?? "", "base64");
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
    throw new TokenRefused(`the signature does not match: the key of "${keyName}" is another one`);
  }
  const expiresAt = Number(fields.get("se"));
  if (!(expiresAt > Date.now() / 1000)) throw new TokenRefused("the token has expired");
  const resource = withoutScheme(fields.get("sr"));
  const asked = withoutScheme(audience);
  if (asked !== resource && !asked.startsWith(`${resource}/`)) {
    throw new TokenRefused(`the token is for "${resource}", not for "${asked}"`);
  }
  return { keyName, claims: rule.claims, expiresAt };
}

/** The tokens that each connection has shown, by hub. */
class Authorizations {
  #tokensByHub = new WeakMap();

  grant(connection, hub, token) {
    if (!this.#tokensByHub.has(connection)) this.#tokensByHub.set(connection, new Map());
    this.#tokensByHub.get(connection).set(hub, token);
  }

  /** The token that counts for this hub; undefined when there is none, or it has expired. */
  tokenFor(connection, hub) {
    const token = this.#tokensByHub.get(connection)?.get(hub);
    return token && token.expiresAt > Date.now() / 1000 ? token : undefined;
  }

  revoke(connection, hub) {
    this.#tokensByHub.get(connection)?.delete(hub);
  }
}

module.exports = { Authorizations, TokenRefused, verifyToken };
