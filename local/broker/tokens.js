"use strict";

const { createHmac, timingSafeEqual } = require("node:crypto");
const { CLAIMS } = require("./sas-rules.js");

/** Who gives out tokens of identities here, which nobody signs. What they are for is the service, not this broker. */
const ISSUER = "https://sts.windows.net/test/";
const AUDIENCE = "https://eventhubs.azure.net";
const JWT = /^[\w-]+\.([\w-]+)\.[\w-]*$/;

class TokenRefused extends Error {}

const withoutScheme = (uri) => uri.replace(/^[a-z]+:\/\//i, "").replace(/\/+$/, "");

/**
 * Checks a shared access signature as Event Hubs does, at `now` in milliseconds. The audience is a URL, or a path on
 * whatever host the signature is for: some clients name the port, others leave it out.
 * What it allows: `{keyName, rule, expiresAt}`, the last in seconds. Throws TokenRefused.
 */
function verifyToken(token, audience, rules, now) {
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
  if (!(expiresAt > now / 1000)) throw new TokenRefused("the token has expired");
  const resource = withoutScheme(fields.get("sr"));
  const asked = audience.startsWith("/") ? resource.split("/", 1)[0] + audience : withoutScheme(audience);
  if (asked !== resource && !asked.startsWith(`${resource}/`)) {
    throw new TokenRefused(`the token is for "${resource}", not for "${asked}"`);
  }
  return { keyName, rule, expiresAt };
}

/** Checks the token of an identity, which may do all there is: `{claims, expiresAt}`, the last in seconds. */
function verifyIdentityToken(token, now) {
  const { iss, aud, exp, nbf } = claimsOf(token);
  if (iss !== ISSUER) throw new TokenRefused(`the issuer of the token is "${iss}", not "${ISSUER}"`);
  if (typeof aud !== "string" || aud.replace(/\/+$/, "") !== AUDIENCE) {
    throw new TokenRefused(`InvalidAudience: the token is for "${aud}", not for "${AUDIENCE}"`);
  }
  if (!(exp > now / 1000)) throw new TokenRefused("ExpiredToken: the token has expired");
  if (!(nbf <= now / 1000)) throw new TokenRefused("the token is not good yet");
  return { claims: CLAIMS, expiresAt: exp };
}

function claimsOf(token) {
  try {
    return JSON.parse(Buffer.from(JWT.exec(token)[1], "base64url").toString());
  } catch {
    throw new TokenRefused("the token is no JWT");
  }
}

/** What each connection has shown: tokens by hub, or a key by SASL PLAIN, which is good for all hubs. */
class Authorizations {
  #tokensByHub = new WeakMap();
  #signedIn = new WeakMap();

  constructor({ rules, clock }) {
    Object.assign(this, { rules, clock });
  }

  grant(connection, hub, token) {
    if (!this.#tokensByHub.has(connection)) this.#tokensByHub.set(connection, new Map());
    this.#tokensByHub.get(connection).set(hub, token);
  }

  signIn(connection, keyName) {
    this.#signedIn.set(connection, { keyName, rule: this.rules.get(keyName), expiresAt: Infinity });
  }

  /** What the connection may do with this hub: `{claims}`, or `{problem}` where its token counts no more. */
  of(connection, hub) {
    const token = this.#tokensByHub.get(connection)?.get(hub) ?? this.#signedIn.get(connection);
    if (!token) return { problem: `no token for hub "${hub}" was shown on this connection` };
    if (token.rule && this.rules.get(token.keyName) !== token.rule) {
      return { problem: `the key of "${token.keyName}" is not valid any more` };
    }
    if (token.expiresAt <= this.clock.now() / 1000) {
      const expired = new Date(token.expiresAt * 1000).toISOString();
      return { problem: `ExpiredToken: The token is expired. Expiration time: '${expired}'` };
    }
    return { claims: token.rule?.claims ?? token.claims };
  }
}

module.exports = { Authorizations, TokenRefused, verifyIdentityToken, verifyToken };
