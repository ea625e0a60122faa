"use strict";

// The two request/response nodes: $cbs takes tokens, $management tells about hubs and partitions.

const { Refused, notFound, unauthorized, unknownPartition } = require("./refusals.js");
const { accept, decodeMessage, types } = require("./rhea-for-azure.js");
const { TokenRefused, verifyIdentityToken, verifyToken } = require("./tokens.js");

const NEVER = -62135596800000; // year 1: how Event Hubs writes a time that is not set
const ARRAY_OF_STRINGS = 0xa1;
const ACCEPTED = { status: 202, description: "Accepted" };
const STATUS_OF = { "amqp:not-found": 404, "amqp:unauthorized-access": 401 };
const BAD_REQUEST = 400;

class Requests {
  constructor({ hubs, faults, rules, clock, authorizations }) {
    Object.assign(this, { hubs, faults, rules, clock, authorizations });
  }

  answer(service, { receiver, delivery, message: bytes }) {
    const request = decodeMessage(bytes);
    accept(delivery);
    const reply = this.#replyTo(service, receiver.connection, request);
    const answeredBy = request.reply_to;
    const isReplyLink = (link) => link.source?.address === service;
    const replyLink =
      receiver.session.find_sender((link) => isReplyLink(link) && link.target?.address === answeredBy) ??
      receiver.session.find_sender(isReplyLink);
    const sent = replyLink?.send({
      correlation_id: request.message_id,
      application_properties: {
        "status-code": types.wrap_int(reply.status), // .NET takes no other type
        "status-description": reply.description ?? "OK",
        ...(reply.condition && { "error-condition": types.wrap_symbol(reply.condition) }),
      },
      body: reply.body ?? null,
    });
    // Python never settles what it receives, and rhea keeps unsettled deliveries until its window is full.
    if (sent) sent.settled = true;
  }

  #replyTo(service, connection, { application_properties: properties, body }) {
    try {
      if (service === "$cbs") return this.#takeToken(connection, properties ?? {}, body);
      return { status: 200, body: this.#describe(connection, properties ?? {}) };
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused;
      const { condition, message: description } = refused;
      return { status: STATUS_OF[condition] ?? BAD_REQUEST, condition, description };
    }
  }

  #takeToken(connection, { operation, name, type }, token) {
    if (operation !== "put-token" || typeof name !== "string" || typeof token !== "string") {
      return { status: BAD_REQUEST, description: "$cbs knows put-token only, with a name and a token" };
    }
    const hub = hubOfAudience(name);
    if (this.faults.refusesToken(hub)) throw unauthorized("refused by the fault auth-failure");
    const verified = this.#verified(token, name, type);
    if (!this.hubs.get(hub)) throw notFound(name, "Create the hub with --hub or PUT /hubs/{name}.");
    this.authorizations.grant(connection, hub, verified);
    return ACCEPTED;
  }

  #verified(token, audience, type) {
    try {
      if (type === "jwt") return verifyIdentityToken(token, this.clock.now());
      return verifyToken(token, audience, this.rules, this.clock.now());
    } catch (error) {
      if (error instanceof TokenRefused) throw unauthorized(error.message);
      throw error;
    }
  }

  #describe(connection, { operation, type, name, partition: partitionId, security_token: token }) {
    if (operation !== "READ") throw new Refused("amqp:not-implemented", `$management knows READ, not "${operation}"`);
    const hub = this.hubs.get(name);
    if (!hub) throw notFound(name, "Create the hub with --hub or PUT /hubs/{name}.");
    // .NET shows its token in the request itself, and none to $cbs before; Python does both.
    if (typeof token === "string") this.#verified(token, `/${name}`, token.startsWith("Shared") ? undefined : "jwt");
    else this.#requireToken(connection, name);
    if (type === "com.microsoft:eventhub") return hubProperties(hub);
    if (type !== "com.microsoft:partition") throw new Refused("amqp:not-implemented", `unknown type "${type}"`);
    const partition = hub.partition(partitionId);
    if (!partition) throw unknownPartition(partitionId, hub.partitions.length);
    return partitionProperties(hub, partition);
  }

  #requireToken(connection, name) {
    const { problem } = this.authorizations.of(connection, name);
    if (problem) throw unauthorized(problem);
  }
}

function hubOfAudience(audience) {
  return audience
    .replace(/^[a-z]+:\/\/[^/]*/i, "")
    .split("/")
    .find((part) => part !== "");
}

function hubProperties(hub) {
  return {
    name: hub.name,
    type: "com.microsoft:eventhub",
    created_at: types.wrap_timestamp(hub.createdAt.getTime()),
    partition_count: types.wrap_int(hub.partitions.length),
    partition_ids: types.wrap_array(
      hub.partitions.map((partition) => partition.id),
      ARRAY_OF_STRINGS,
    ),
    georeplication_factor: types.wrap_int(hub.geoReplicated ? 2 : 1),
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
    last_enqueued_offset: last ? partition.offsetOf(last) : "-1",
    last_enqueued_time_utc: types.wrap_timestamp(last?.enqueuedAt ?? NEVER),
    is_partition_empty: last === null,
  };
}

module.exports = { Requests };
