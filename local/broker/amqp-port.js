"use strict";

// The AMQP side: connections, and which link may attach to what.

const { InvalidPosition } = require("./partition-log.js");
const { Requests } = require("./requests.js");
const { container } = require("./rhea-for-azure.js");
const { Authorizations } = require("./tokens.js");
const { readInto, takeTransfer } = require("./transfers.js");

const ENTITY = /^([^/]+)(?:\/ConsumerGroups\/([^/]+))?(?:\/Partitions\/([^/]+))?$/i;
const SERVICES = ["$cbs", "$management"];
const SELECTOR_FILTER = "apache.org:selector-filter:string";
const FRAME_BYTES = 65536; // what Event Hubs announces
const SENDER_CREDIT = 1000;

class LinkRefused extends Error {
  constructor(condition, message) {
    super(message);
    this.condition = condition;
  }
}

class AmqpPort {
  #sockets = new Set();
  #authorizations = new Authorizations();

  constructor({ hubs, faults, rules, maxMessageBytes }) {
    Object.assign(this, { hubs, faults, maxMessageBytes });
    this.requests = new Requests({ hubs, faults, authorizations: this.#authorizations, rules });
    container.on("receiver_open", ({ receiver }) => this.#open(receiver, () => this.#openForSending(receiver)));
    container.on("sender_open", ({ sender }) => this.#open(sender, () => this.#openForReading(sender)));
    for (const event of ["receiver_close", "sender_close"]) {
      container.on(event, ({ receiver, sender }) => this.#forgetWhere((link) => link === (receiver ?? sender)));
    }
    container.on("session_close", ({ session }) => this.#forgetWhere((link) => link.session === session));
    // rhea throws what nobody listens to; a client that ends badly must not end the broker.
    const quiet = ["receiver_error", "sender_error", "session_error", "connection_error", "disconnected"];
    for (const event of quiet) container.on(event, () => {});
    for (const event of ["protocol_error", "error"]) container.on(event, (error) => console.error(error));
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

  /** Ends what was let in by the key of this name, as a key that is regenerated does. */
  revoke(keyName) {
    for (const hub of this.hubs.all()) {
      const byThisKey = (link) => this.#authorizations.tokenFor(link.connection, hub.name)?.keyName === keyName;
      const revoked = hub.links().filter(byThisKey);
      for (const link of revoked) this.#authorizations.revoke(link.connection, hub.name);
      hub.closeLinks(revoked, {
        condition: "amqp:unauthorized-access",
        description: `the key of "${keyName}" is not valid any more`,
      });
    }
  }

  #accept(socket) {
    if (this.faults.refusesConnection()) {
      socket.destroy(new Error("refused by a fault that was asked for"));
      return;
    }
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#forgetWhere((link) => link.connection.socket === socket);
    });
  }

  #forgetWhere(matches) {
    for (const hub of this.hubs.all()) hub.forgetWhere(matches);
  }

  #open(link, attach) {
    try {
      attach();
    } catch (error) {
      if (!(error instanceof LinkRefused)) throw error;
      // AMQP refuses a link by attaching it without source and target, then closing it with the reason.
      link.local.attach.source = null;
      link.local.attach.target = null;
      link.close({ condition: error.condition, description: error.message });
    }
  }

  #openForSending(receiver) {
    const address = receiver.target?.address;
    receiver.set_source({ address: receiver.source?.address ?? "" });
    receiver.set_target({ address });
    const service = SERVICES.find((name) => name === address);
    if (service) {
      receiver.on("message", (context) => this.requests.answer(service, context));
      return;
    }
    const { hub, consumerGroup, partition: pinned } = this.#entityAt(address, receiver.connection, "Send");
    if (consumerGroup) {
      throw new LinkRefused("amqp:not-allowed", `"${address}" is for receivers: send to "${hub.name}"`);
    }
    receiver.local.attach.max_message_size = this.maxMessageBytes;
    hub.attach(receiver);
    const target = { hub, pinned, faults: this.faults, maxMessageBytes: this.maxMessageBytes };
    receiver.on("message", (context) => {
      // A transfer may still be on its way when its link is closed from here.
      if (hub.hasLink(receiver)) takeTransfer(target, context);
      else context.delivery.settled = true;
    });
  }

  #openForReading(sender) {
    const address = sender.source?.address;
    sender.set_source({ address });
    sender.set_target({ address: sender.target?.address ?? "" });
    if (SERVICES.includes(address)) return;
    const { hub, consumerGroup, partition } = this.#entityAt(address, sender.connection, "Listen");
    if (!consumerGroup || !partition) {
      const expected = `${hub.name}/ConsumerGroups/<group>/Partitions/<id>`;
      throw new LinkRefused("amqp:not-allowed", `receive from "${expected}", not from "${address}"`);
    }
    const filter = sender.source.filter?.[SELECTOR_FILTER]?.value;
    let start;
    try {
      start = partition.startOf(filter);
    } catch (error) {
      if (error instanceof InvalidPosition) throw new LinkRefused("amqp:invalid-field", error.message);
      throw error;
    }
    hub.attach(sender, readInto(sender, partition, start));
  }

  #entityAt(address, connection, claim) {
    const [, name, consumerGroup, partitionId] = ENTITY.exec(pathOf(address ?? "")) ?? [];
    const hub = this.hubs.get(name);
    if (!hub) {
      const advice = "create it with --hub or PUT /hubs/{name}";
      throw new LinkRefused("amqp:not-found", `there is no hub at "${address}": ${advice}`);
    }
    const token = this.#authorizations.tokenFor(connection, name);
    if (!token) {
      throw new LinkRefused("amqp:unauthorized-access", `no valid token for hub "${name}" on this connection`);
    }
    if (!token.claims.includes(claim)) {
      const needed = `'${claim}' claim(s) are required to perform this operation`;
      throw new LinkRefused("amqp:unauthorized-access", `Unauthorized access. ${needed}. Resource: '${address}'.`);
    }
    const partition = partitionId === undefined ? undefined : hub.partition(partitionId);
    if (partitionId !== undefined && !partition) {
      const ids = `0 to ${hub.partitions.length - 1}`;
      throw new LinkRefused("amqp:not-found", `hub "${name}" has no partition "${partitionId}", only ${ids}`);
    }
    return { hub, consumerGroup, partition };
  }
}

function pathOf(address) {
  return address.replace(/^amqps?:\/\/[^/]*\//i, "");
}

module.exports = { AmqpPort };
