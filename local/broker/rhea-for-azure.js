"use strict";

// rhea, with the three changes that the Azure SDK needs. Everything here leans on rhea's internals,
// which is why its version is pinned and why no other module touches them.

const container = require("rhea");
const Connection = require("rhea/lib/connection.js");
const frames = require("rhea/lib/frames.js");
const message = require("rhea/lib/message.js");

// rhea leaves out trailing fields that are not set, as AMQP allows; the SDK's decoder reads all of them by index.
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

// The SDK detaches a session's links after it has ended the session. rhea would drop the whole connection for it,
// and with it the links of every other session, which is not what Event Hubs does.
const onDetach = Connection.prototype.on_detach;
Connection.prototype.on_detach = function (frame) {
  if (frame.channel in this.remote_channel_map) onDetach.call(this, frame);
};

// Events are stored as the bytes that arrived, so that no type is lost on the way through;
// only requests to $cbs and $management are worth decoding.
const decodeMessage = message.decode;
message.decode = (bytes) => bytes;

module.exports = { container, decodeMessage, types: container.types };
