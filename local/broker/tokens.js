"use strict";

const { createHmac, timingSafeEqual } = require("node:crypto");

class TokenRefused extends Error {}

const withoutScheme = (uri) => uri.replace(/^[a-z]+:\/\//i, "").replace(/\/+$/, "");

/** Checks a shared access signature as Event Hubs does; returns the second it expires at. */
function verifyToken(token, audience, { keyName, key }) {
  const [kind, query] = token.split(" ", 2);
  if (kind !== "SharedAccessSignature" || !query) throw new TokenRefused("the token is no SharedAccessSignature");
  // The signature covers `sr` as it was encoded by the signer, so the raw text is needed beside the decoded one.
  const signedResource = /(?:^|&)sr=([^&]*)/.exec(query)?.[1] ?? "";
  const fields = new URLSearchParams(query);
  if (fields.get("skn") !== keyName) {
    throw new TokenRefused(`the key name is "${fields.get("skn")}"; this broker knows "${keyName}"`);
  }
  const expected = createHmac("sha256", key).update(`${signedResource}\n${fields.get("se")}`).digest();
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
  return expiresAt;
}

/** The hubs that each connection has shown a token for. */
class Authorizations {
  #expiryByHub = new WeakMap();

  grant(connection, hub, expiresAt) {
    if (!this.#expiryByHub.has(connection)) this.#expiryByHub.set(connection, new Map());
    this.#expiryByHub.get(connection).set(hub, expiresAt);
  }

  allows(connection, hub) {
    return (this.#expiryByHub.get(connection)?.get(hub) ?? 0) > Date.now() / 1000;
  }
}

module.exports = { Authorizations, TokenRefused, verifyToken };
