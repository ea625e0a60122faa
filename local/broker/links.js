"use strict";

// Which link may attach to what, and what then comes over it.

const { Refused, notAllowed, notFound, unauthorized, unknownPartition } = require("./refusals.js");
const { agreeOnSettling } = require("./rhea-for-azure.js");
const { readInto, takeTransfer } = require("./transfers.js");

const ENTITY = /^([^/]+)(?:\/ConsumerGroups\/([^/]+))?(?:\/Partitions\/([^/]+))?$/i;
const SERVICES = ["$cbs", "$management"];
const SELECTOR_FILTER = "apache.org:selector-filter:string";
const OWNER_LEVEL = "com.microsoft:epoch";
const TRACKING = "com.microsoft:enable-receiver-runtime-metric";
const READER_NAME = "com.microsoft:receiver-name";
const NO_NAME = "nil";

class Links {
  constructor({ hubs, faults, requests, authorizations, maxMessageBytes }) {
    Object.assign(this, { hubs, faults, requests, authorizations, maxMessageBytes });
  }

  /** Answers the attach of a client that sends. */
  openForSending(receiver) {
    this.#open(receiver, () => this.#attachSender(receiver));
  }

  /** Answers the attach of a client that reads. */
  openForReading(sender) {
    this.#open(sender, () => this.#attachReader(sender));
  }

  #open(link, attach) {
    if (!link.connection.is_open()) return; // refused, while its attach was already on the way
    agreeOnSettling(link);
    try {
      attach();
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused;
      // AMQP refuses a link by attaching it without source and target, then closing it with the reason.
      link.local.attach.source = null;
      link.local.attach.target = null;
      link.close(refused.error);
    }
  }

  #attachSender(receiver) {
    const address = receiver.target?.address;
    receiver.set_source({ address: receiver.source?.address ?? "" });
    receiver.set_target({ address });
    const service = SERVICES.find((name) => name === address);
    if (service) {
      receiver.on("message", (context) => this.requests.answer(service, context));
      return;
    }
    const { hub, consumerGroup, partition: pinned } = this.#entityAt(address, receiver, "Send");
    if (consumerGroup) throw notAllowed(`"${address}" is for receivers: send to "${hub.name}"`);
    receiver.local.attach.max_message_size = this.maxMessageBytes;
    hub.attach(receiver);
    const target = { hub, pinned, faults: this.faults, maxMessageBytes: this.maxMessageBytes };
    receiver.on("message", (context) => {
      // A transfer may still be on its way when its link is closed from here.
      if (hub.hasLink(receiver)) takeTransfer(target, context);
      else context.delivery.settled = true;
    });
  }

  #attachReader(sender) {
    const address = sender.source?.address;
    sender.set_source({ address });
    sender.set_target({ address: sender.target?.address ?? "" });
    if (SERVICES.includes(address)) return;
    const { hub, consumerGroup, partition } = this.#entityAt(address, sender, "Listen");
    if (!consumerGroup || !partition) {
      const expected = `${hub.name}/ConsumerGroups/<group>/Partitions/<id>`;
      throw notAllowed(`receive from "${expected}", not from "${address}"`);
    }
    const start = partition.startOf(sender.source.filter?.[SELECTOR_FILTER]?.value);
    const { desired_capabilities: capabilities, properties } = sender.remote.attach;
    const level = properties?.[OWNER_LEVEL];
    hub.attachReader(sender, {
      group: consumerGroup.toLowerCase(),
      partition,
      name: properties?.[READER_NAME] ?? NO_NAME,
      level: level === undefined ? undefined : Number(level),
    });
    const tracks = [capabilities ?? []].flat().includes(TRACKING);
    hub.whenForgotten(sender, readInto(sender, partition, { start, tracks }));
  }

  #entityAt(address, link, claim) {
    const [, name, consumerGroup, partitionId] = ENTITY.exec(pathOf(address ?? "")) ?? [];
    const hub = this.hubs.get(name);
    if (!hub) throw notFound(address, "Create the hub with --hub or PUT /hubs/{name}.");
    const { claims, problem } = this.authorizations.of(link.connection, name);
    if (problem) throw unauthorized(problem);
    if (!claims.includes(claim)) {
      const needed = `'${claim}' claim(s) are required to perform this operation`;
      throw unauthorized(`Unauthorized access. ${needed}. Resource: '${address}'.`);
    }
    hub.requireOpenFor(link);
    if (consumerGroup !== undefined && !hub.hasConsumerGroup(consumerGroup)) {
      throw notFound(`${name}|${consumerGroup}`, `The hub's consumer groups are ${hub.consumerGroups.join(", ")}.`);
    }
    const partition = partitionId === undefined ? undefined : hub.partition(partitionId);
    if (partitionId !== undefined && !partition) throw unknownPartition(partitionId, hub.partitions.length);
    return { hub, consumerGroup, partition };
  }
}

// .NET writes a slash before the name, Python and JavaScript the whole URL.
function pathOf(address) {
  return address.replace(/^amqps?:\/\/[^/]*/i, "").replace(/^\/+/, "");
}

module.exports = { Links };
