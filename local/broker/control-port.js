"use strict";

// The HTTP/JSON side, for tests and the local stack: hubs, keys, statistics, faults. The list of hubs is there once
// more as the service's own management surface gives it, to whoever shows a token of a key that may manage.

const http = require("node:http");

const { feedOf, pageOf } = require("./atom.js");
const { InvalidFault } = require("./faults.js");
const { HubConflict } = require("./hubs.js");
const { InvalidRule } = require("./sas-rules.js");
const { TokenRefused, verifyToken } = require("./tokens.js");

const MOST_BODY_BYTES = 1048576;
const ROUTES =
  "GET /hubs, PUT|DELETE /hubs/{name}, GET /keys, PUT|DELETE /keys/{name}, GET /stats, GET|PUT|DELETE /faults, " +
  "PUT /clock, GET /$Resources/EventHubs";
const MANAGED = "/$Resources/EventHubs";

class BadRequest extends Error {}

const BAD_REQUESTS = [BadRequest, InvalidFault, InvalidRule, RangeError];

class ControlPort {
  constructor({ hubs, faults, rules, clock, amqp, amqpPort }) {
    Object.assign(this, { hubs, faults, rules, clock, amqp, amqpPort });
  }

  listen(port) {
    const server = http.createServer((request, response) => this.#serve(request, response));
    server.listen(port, "127.0.0.1");
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.once("listening", () => resolve(server));
    });
  }

  async #serve(request, response) {
    const [path, query] = request.url.split("?", 2);
    if (request.method === "GET" && path === MANAGED) {
      this.#listHubs(request, new URLSearchParams(query), response);
      return;
    }
    let status;
    let body;
    try {
      [status, body] = this.#answer(request.method, pathOf(request), await jsonOf(request));
    } catch (error) {
      status = statusOf(error);
      body = { error: error.message };
      if (status === 500) console.error(error);
    }
    response.writeHead(status, { "content-type": "application/json" });
    response.end(body === undefined ? "" : JSON.stringify(body));
  }

  #listHubs(request, query, response) {
    let claims;
    try {
      const audience = `127.0.0.1:${this.amqpPort}${MANAGED}`;
      ({ claims } = verifyToken(request.headers.authorization ?? "", audience, this.rules, this.clock.now()).rule);
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      response.writeHead(401, { "content-type": "text/plain" }).end(error.message);
      return;
    }
    if (!claims.includes("Manage")) {
      response.writeHead(401, { "content-type": "text/plain" }).end("Manage,EntityRead claims required");
      return;
    }
    const feed = feedOf(this.hubs.all(), pageOf(query));
    response.writeHead(200, { "content-type": "application/atom+xml;type=feed;charset=utf-8" }).end(feed);
  }

  #answer(method, path, body) {
    const [collection, name, ...rest] = path;
    const route = `${method} /${collection ?? ""}${name === undefined ? "" : "/{name}"}`;
    if (rest.length > 0) return notFound(`${method} /${path.join("/")} is unknown; there is ${ROUTES}`);
    switch (route) {
      case "GET /hubs":
        return [200, this.hubs.all().map(describe)];
      case "PUT /hubs/{name}": {
        const isNew = this.hubs.ensure(name, body ?? {});
        return [isNew ? 201 : 200, describe(this.hubs.get(name))];
      }
      case "DELETE /hubs/{name}":
        return this.hubs.delete(name) ? [204] : notFound(`there is no hub "${name}"; GET /hubs lists them`);
      case "GET /keys":
        return [200, this.rules.list()];
      case "PUT /keys/{name}": {
        const isNew = this.rules.ensure(name, body?.key, body?.claims);
        this.amqp.endUnauthorized();
        return [isNew ? 201 : 200, { name, claims: this.rules.get(name).claims }];
      }
      case "DELETE /keys/{name}":
        if (!this.rules.delete(name)) return notFound(`there is no key "${name}"; GET /keys lists them`);
        this.amqp.endUnauthorized();
        return [204];
      case "GET /stats":
        return [200, this.#stats()];
      case "PUT /clock":
        this.clock.setAhead(secondsAhead(body) * 1000);
        return [204];
      case "GET /faults":
        return [200, this.faults.list()];
      case "PUT /faults":
        this.faults.replace(body);
        if (this.faults.dropsConnectionsNow()) this.amqp.dropConnections("dropped by the fault refuse-connection");
        return [200, this.faults.list()];
      case "DELETE /faults":
        this.faults.replace([]);
        return [204];
      default:
        return notFound(`${method} /${path.join("/")} is unknown; there is ${ROUTES}`);
    }
  }

  #stats() {
    const hubs = Object.fromEntries(this.hubs.all().map((hub) => [hub.name, hub.stats()]));
    return { connectionsOpen: this.amqp.connectionsOpen, hubs };
  }
}

function describe({ name, partitions, consumerGroups, status, geoReplicated }) {
  return { name, partitions: partitions.length, consumerGroups, status, geoReplicated };
}

function secondsAhead(body) {
  const seconds = body?.aheadSeconds;
  if (!Number.isFinite(seconds)) throw new BadRequest('send {"aheadSeconds":241}, or 0 for the machine\'s own time');
  return seconds;
}

function notFound(message) {
  return [404, { error: message }];
}

function statusOf(error) {
  if (error instanceof HubConflict) return 409;
  if (BAD_REQUESTS.some((kind) => error instanceof kind)) return 400;
  return 500;
}

function pathOf(request) {
  try {
    return request.url.split("?")[0].split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    throw new BadRequest(`the path ${request.url} is not percent-encoded as it should be`);
  }
}

async function jsonOf(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MOST_BODY_BYTES) throw new BadRequest(`the body is larger than ${MOST_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (error) {
    throw new BadRequest(`the body is not JSON: ${error.message}`);
  }
}

module.exports = { ControlPort };
