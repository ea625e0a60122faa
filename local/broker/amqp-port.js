"use strict";

// The AMQP side: connections, and which of them and of their links come to an end without their doing.

const { Idleness } = require("./idleness.js");
const { Links } = require("./links.js");
const { idleConnection, idleLink, tooManyConnections, unauthorized } = require("./refusals.js");
const { Requests } = require("./requests.js");
const { allowSignIn, container, signedInAs } = require("./rhea-for-azure.js");
const { Authorizations } = require("./tokens.js");

// What Event Hubs announces in its open frame, and when it gives up on whoever is silent.
const FRAME_BYTES = 65536;
const MOST_SESSIONS = 4999;
const IDLE_CONNECTION_MS = 240_000;
const IDLE_LINK_MS = 30 * 60_000;
const SENDER_CREDIT = 1000;

class AmqpPort {
  #sockets = new Set();
  #tooMany = new WeakSet();
  #connections = new Set();

  constructor({ hubs, faults, rules, clock, maxMessageBytes, maxConnections }) {
    Object.assign(this, { hubs, faults, maxConnections });
    this.authorizations = new Authorizations({ rules, clock });
    const requests = new Requests({ hubs, faults, rules, clock, authorizations: this.authorizations });
    const links = new Links({ hubs, faults, requests, authorizations: this.authorizations, maxMessageBytes });
    allowSignIn((keyName, key) => rules.get(keyName)?.key === key);
    this.#follow(links);
    this.#endTheIdle(clock);
    clock.onTick(() => this.endUnauthorized());
  }

  get connectionsOpen() {
    return this.#sockets.size;
  }

  listen(port) {
    const server = container.listen({
      host: "127.0.0.1",
      port,
      autoaccept: false,
      credit_window: SENDER_CREDIT,
      max_frame_size: FRAME_BYTES,
      channel_max: MOST_SESSIONS,
      idle_time_out: IDLE_CONNECTION_MS,
      tcp_no_delay: true,
    });
    server.on("connection", (socket) => this.#accept(socket));
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.once("listening", () => resolve(server));
    });
  }

  dropConnections(reason) {
    // With an error, because rhea does not notice a socket that is destroyed without one.
    for (const socket of this.#sockets) socket.destroy(new Error(reason));
  }

  /** Closes the links whose token has run out, or whose key is another one by now. */
  endUnauthorized() {
    this.#closeLinks((link, hub) => {
      const { problem } = this.authorizations.of(link.connection, hub.name);
      return problem && unauthorized(problem);
    });
  }

  /** Closes each link for which `reasonFor` gives a refusal. */
  #closeLinks(reasonFor) {
    for (const hub of this.hubs.all()) {
      for (const link of hub.links()) {
        const refused = reasonFor(link, hub);
        if (refused) hub.closeLinks([link], refused.error);
      }
    }
  }

  #follow(links) {
    container.on("connection_open", ({ connection }) => this.#open(connection));
    container.on("receiver_open", ({ receiver }) => links.openForSending(receiver));
    container.on("sender_open", ({ sender }) => links.openForReading(sender));
    for (const event of ["receiver_close", "sender_close"]) {
      container.on(event, ({ receiver, sender }) => this.#forgetWhere((link) => link === (receiver ?? sender)));
    }
    container.on("session_close", ({ session }) => this.#forgetWhere((link) => link.session === session));
    // rhea throws what nobody listens to; a client that ends badly must not end the broker.
    const quiet = ["receiver_error", "sender_error", "session_error", "connection_error", "disconnected"];
    for (const event of quiet) container.on(event, () => {});
    for (const event of ["protocol_error", "error"]) container.on(event, (error) => console.error(error));
  }

  #accept(socket) {
    if (this.faults.refusesConnection()) {
      socket.destroy(new Error("refused by a fault that was asked for"));
      return;
    }
    if (this.#sockets.size >= this.maxConnections) {
      this.#tooMany.add(socket);
      return;
    }
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#forgetWhere((link) => link.connection.socket === socket);
      for (const connection of this.#connections) {
        if (connection.socket === socket) this.#connections.delete(connection);
      }
    });
  }

  #open(connection) {
    if (this.#tooMany.has(connection.socket)) {
      this.#end(connection, tooManyConnections(this.maxConnections));
      return;
    }
    this.#connections.add(connection);
    const keyName = signedInAs(connection);
    if (keyName !== undefined) this.authorizations.signIn(connection, keyName);
  }

  #end(connection, refused) {
    connection.close(refused.error);
    // Whoever sleeps does not answer; the socket is ended once the close frame is on its way.
    setImmediate(() => connection.socket.end());
  }

  #endTheIdle(clock) {
    const connections = new Idleness({ clock, limitMs: IDLE_CONNECTION_MS, activityOf: ({ socket }) => socket.bytesRead });
    const links = new Idleness({ clock, limitMs: IDLE_LINK_MS, activityOf: (link) => link.delivery_count });
    clock.onTick(() => {
      for (const connection of connections.idle(this.#connections)) {
        this.#forgetWhere((link) => link.connection === connection);
        this.#end(connection, idleConnection(IDLE_CONNECTION_MS));
      }
      const idle = new Set(links.idle(this.hubs.all().flatMap((hub) => hub.links())));
      this.#closeLinks((link) => (idle.has(link) ? idleLink(link.name, IDLE_LINK_MS) : undefined));
    });
  }

  #forgetWhere(matches) {
    for (const hub of this.hubs.all()) hub.forgetWhere(matches);
  }
}

module.exports = { AmqpPort };
