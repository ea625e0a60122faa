"use strict";

// The two request/response nodes: $cbs takes tokens, $management tells about hubs and partitions.

const { decodeMessage, types } = require("./rhea-for-azure.js");
const { TokenRefused, verifyToken } = require("./tokens.js");

const NEVER = -62135596800000; // year 1: how Event Hubs writes a time that is not set

class Requests {
  constructor({ hubs, faults, authorizations, rules }) {
    Object.assign(this, { hubs, faults, authorizations, rules });
  }

  answer(service, { receiver, delivery, message: bytes }) {
    const request = decodeMessage(bytes);
    delivery.accept();
    const properties = request.application_properties ?? {};
    const reply =
      service === "$cbs"
        ? this.#takeToken(receiver.connection, properties, request.body)
        : this.#describe(receiver.connection, properties);
    const replyLink = receiver.session.find_sender((link) => link.source?.address === service);
    const sent = replyLink?.send({
      correlation_id: request.message_id,
      application_properties: { "status-code": reply.status, "status-description": reply.description ?? "OK" },
      body: reply.body ?? null,
    });
    // The SDK never settles what it receives, and rhea keeps unsettled deliveries until its window is full.
    if (sent) sent.settled = true;
  }

  #takeToken(connection, { operation, name }, token) {
    if (operation !== "put-token" || typeof name !== "string" || typeof token !== "string") {
      return { status: 400, description: "$cbs knows put-token only, with a name and a token" };
    }
    const hub = hubOfAudience(name);
    if (this.faults.refusesToken(hub)) return { status: 401, description: "refused by the fault auth-failure" };
    try {
      this.authorizations.grant(connection, hub, verifyToken(token, name, this.rules));
    } catch (error) {
      if (error instanceof TokenRefused) return { status: 401, description: error.message };
      throw error;
    }
    return { status: 202, description: "Accepted" };
  }

  #describe(connection, { operation, type, name, partition: partitionId }) {
    if (operation !== "READ") return { status: 400, description: `$management knows READ only, not "${operation}"` };
    const hub = this.hubs.get(name);
    if (!hub) return { status: 404, description: `there is no hub "${name}"` };
    if (!this.authorizations.tokenFor(connection, name)) {
      return { status: 401, description: `no valid token for hub "${name}" on this connection` };
    }
    if (type === "com.microsoft:eventhub") return { status: 200, body: hubProperties(hub) };
    if (type !== "com.microsoft:partition") return { status: 400, description: `unknown type "${type}"` };
    const partition = hub.partition(partitionId);
    if (!partition) return { status: 404, description: `hub "${name}" has no partition "${partitionId}"` };
    return { status: 200, body: partitionProperties(hub, partition) };
  }
}

function hubOfAudience(audience) {
  return audience.replace(/^[a-z]+:\/\/[^/]*\//i, "").split("/")[0];
}

function hubProperties(hub) {
  return {
    name: hub.name,
    type: "com.microsoft:eventhub",
    created_at: types.wrap_timestamp(hub.createdAt.getTime()),
    partition_count: hub.partitions.length,
    partition_ids: types.wrap_list(hub.partitions.map((partition) => partition.id)),
  };
}

function partitionProperties(hub, partition) {
  const { last } = partition;
  return {
    name: hub.name,
    type: "com.microsoft:partition",
    partition: partition.id,
    begin_sequence_number: types.wrap_long(partition.firstSequenceNumber),
    last_enqueued_sequence_number: types.wrap_long(partition.nextSequenceNumber - 1),
    last_enqueued_offset: String(last?.offset ?? -1),
    last_enqueued_time_utc: types.wrap_timestamp(last?.enqueuedAt ?? NEVER),
    is_partition_empty: last === null,
  };
}

module.exports = { Requests };
