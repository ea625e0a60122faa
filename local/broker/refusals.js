"use strict";

// What the service refuses, in the conditions and texts that the SDKs read: .NET, JavaScript and Java tell a hub that is
// not there from a broken connection by "The messaging entity … could not be found".

/** A refusal as AMQP says it: of a link, a request or a transfer. */
class Refused extends Error {
  constructor(condition, description) {
    super(description);
    this.condition = condition;
  }

  /** As a field of a detach or close frame. */
  get error() {
    return { condition: this.condition, description: this.message };
  }
}

const notFound = (entity, advice) =>
  new Refused("amqp:not-found", `The messaging entity '${entity}' could not be found. ${advice}`);

const disabled = (entity) =>
  new Refused("com.microsoft:entity-disabled", `The messaging entity '${entity}' is currently disabled.`);

const unauthorized = (description) => new Refused("amqp:unauthorized-access", description);

const notAllowed = (description) => new Refused("amqp:not-allowed", description);

const invalidArgument = (description) => new Refused("com.microsoft:argument-error", description);

const beyondTheEnd = (what, value, last) =>
  invalidArgument(`The supplied ${what} '${value}' is invalid. The last ${what} in the system is '${last}'`);

const unknownPartition = (id, count) =>
  new Refused(
    "com.microsoft:argument-out-of-range",
    `The specified partition '${id}' is invalid: it should be between 0 and ${count - 1}.`,
  );

const invalidGeoReplicationOffset = (offset) =>
  new Refused(
    "com.microsoft:georeplication:invalid-offset",
    `The offset '${offset}' is none of this geo-replicated hub. Start at the offset or sequence number of an event.`,
  );

const tooManyReaders = (most, names) =>
  new Refused(
    "amqp:resource-limit-exceeded",
    `Exceeded the maximum number of allowed receivers per partition in a consumer group which is ${most}. ` +
      `List of connected receivers - ${names.join(", ")}.`,
  );

const levelNeeded = (highest) =>
  new Refused(
    "amqp:link:stolen",
    `At least one receiver for the endpoint is created with epoch of '${highest}', and so non-epoch receiver is not ` +
      "allowed. Either reconnect with a higher epoch, or make sure all epoch receivers are closed or disconnected.",
  );

const levelTooLow = (other, name, level) =>
  new Refused(
    "amqp:link:stolen",
    `Receiver '${other.name}' with a higher epoch '${other.level}' already exists. Receiver '${name}' with epoch ` +
      `${level} cannot be created. Make sure that epochs increase, or that older receivers are closed.`,
  );

const displaced = (by, reader) =>
  new Refused(
    "amqp:link:stolen",
    `New receiver '${by.name}' with higher epoch of '${by.level}' is created hence current receiver ` +
      `'${reader.name}' with epoch '${reader.level ?? -1}' is getting disconnected.`,
  );

const idleConnection = (limitMs) =>
  new Refused(
    "amqp:connection:forced",
    `The connection was inactive for more than the allowed ${limitMs} milliseconds and is closed by the broker.`,
  );

const idleLink = (name, limitMs) =>
  new Refused("amqp:link:detach-forced", `Idle link tracker, link ${name} has been idle for ${limitMs}ms`);

const tooManyConnections = (most) =>
  new Refused("amqp:resource-limit-exceeded", `ConnectionsQuotaExceeded: the namespace allows ${most} connections.`);

module.exports = {
  Refused,
  beyondTheEnd,
  disabled,
  displaced,
  idleConnection,
  idleLink,
  invalidArgument,
  invalidGeoReplicationOffset,
  levelNeeded,
  levelTooLow,
  notAllowed,
  notFound,
  tooManyConnections,
  tooManyReaders,
  unauthorized,
  unknownPartition,
};
