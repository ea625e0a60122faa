"use strict";

// rhea, with the changes that the Azure SDKs need. Everything here leans on rhea's internals,
// which is why its version is pinned and why no other module touches them.

const container = require("rhea");
const Connection = require("rhea/lib/connection.js");
const frames = require("rhea/lib/frames.js");
const message = require("rhea/lib/message.js");
const Session = require("rhea/lib/session.js");

// rhea leaves out trailing fields that are not set, as AMQP allows; Python's SDK reads all of them by index.
const FIELDS_OF_FRAME = {
  open: 10,
  begin: 8,
  attach: 14,
  flow: 11,
  transfer: 11,
  disposition: 6,
  detach: 3,
  end: 1,
  close: 1,
};
const HIGHEST_LINK_HANDLE = 255;

for (const [name, count] of Object.entries(FIELDS_OF_FRAME)) {
  const create = frames[name];
  frames[name] = (fields) => {
    const frame = create(fields);
    frame.value = Array.from({ length: count }, (_, index) => frame.value[index] ?? null);
    if (name === "begin") frame.handle_max = HIGHEST_LINK_HANDLE;
    return frame;
  };
}

// Python's SDK detaches a session's links after it has ended the session. rhea would drop the whole connection for it,
// and with it the links of every other session, which is not what Event Hubs does.
const onDetach = Connection.prototype.on_detach;
Connection.prototype.on_detach = function (frame) {
  if (frame.channel in this.remote_channel_map) onDetach.call(this, frame);
};

// rhea would end an idle connection by a timer of its own; here the broker's clock decides, and its words are said.
Connection.prototype.idle = () => {};

// A client that sends credit along with its attach (.NET does) gets the attach that answers before any transfer.
const processSession = Session.prototype._process;
Session.prototype._process = function () {
  if (this.state.need_open()) this.output(this.local.begin);
  for (const link of Object.values(this.links)) if (link.state.need_open()) this.output(link.local.attach);
  processSession.call(this);
};

// Events are stored as the bytes that arrived, so that no type is lost on the way through;
// only requests to $cbs and $management are worth decoding.
const decodeMessage = message.decode;
message.decode = (bytes) => bytes;

/**
 * Who may connect: anybody, who then shows a token (.NET knows only the name MSSBCBS for that), or who has a key's name
 * and value, which `isKey` judges.
 */
function allowSignIn(isKey) {
  const mechanisms = container.sasl_server_mechanisms;
  mechanisms.enable_anonymous();
  mechanisms.MSSBCBS = mechanisms.ANONYMOUS;
  mechanisms.enable_plain(isKey);
}

/** The name of the key that the client signed in with by SASL PLAIN; undefined if it did not. */
function signedInAs(connection) {
  const { mechanism } = connection.sasl_transport?.selected ?? {};
  return mechanism?.callback && mechanism.outcome ? mechanism.username : undefined;
}

/**
 * Answers with the settle modes that the client asked for: .NET loses events and links over others. Whatever they are,
 * this side settles when it answers, as the service does.
 */
function agreeOnSettling(link) {
  link.local.attach.snd_settle_mode = link.remote.attach.snd_settle_mode;
  link.local.attach.rcv_settle_mode = link.remote.attach.rcv_settle_mode;
}

function accept(delivery) {
  delivery.update(true, message.accepted().described());
}

function reject(delivery, condition, description) {
  // Without `info` Python's handling of the rejection fails, and its send hangs.
  delivery.update(true, message.rejected({ error: { condition, description, info: {} } }).described());
}

module.exports = {
  accept,
  agreeOnSettling,
  allowSignIn,
  container,
  decodeMessage,
  reject,
  signedInAs,
  types: container.types,
};
