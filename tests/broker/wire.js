"use strict";

// AMQP frames as they are on the wire, one by one: for clients that write several in one go, and want to see the types
// and the order of what comes back. rhea is their codec only.

const { createHmac } = require("node:crypto");
const net = require("node:net");

const frames = require("rhea/lib/frames.js");
const message = require("rhea/lib/message.js");
const types = require("rhea/lib/types.js");

const HEADER_BYTES = 8;
const PATIENCE_MS = 30_000;

class Wire {
  #received = Buffer.alloc(0);
  #wake = () => {};

  static async connect(port) {
    const wire = new Wire();
    wire.socket = net.connect(port, "127.0.0.1");
    wire.socket.on("data", (chunk) => {
      wire.#received = Buffer.concat([wire.#received, chunk]);
      wire.#wake();
    });
    wire.socket.on("error", () => {});
    await new Promise((resolve) => wire.socket.once("connect", resolve));
    return wire;
  }

  async exchangeHeader(protocolId) {
    this.socket.write(Buffer.from([0x41, 0x4d, 0x51, 0x50, protocolId, 1, 0, 0]));
    await this.#until(() => this.#received.length >= HEADER_BYTES);
    this.#received = this.#received.subarray(HEADER_BYTES);
  }

  /** All in one write: `[performative, payload]`, or a performative alone. */
  write(channel, ...written) {
    const encoded = written.map((each) => {
      const [performative, payload] = Array.isArray(each) ? each : [each];
      const isSasl = typeOf(performative).startsWith("sasl_");
      return frames.write_frame(
        isSasl ? frames.sasl_frame(performative) : frames.amqp_frame(channel, performative, payload),
      );
    });
    this.socket.write(Buffer.concat(encoded));
  }

  /** `{type, channel, fields, payload}` of the next frame that is not empty. */
  async next() {
    for (;;) {
      await this.#until(() => this.#received.length >= 4 && this.#received.length >= this.#received.readUInt32BE(0));
      const size = this.#received.readUInt32BE(0);
      const frame = frames.read_frame(this.#received.subarray(0, size));
      this.#received = this.#received.subarray(size);
      if (!frame.performative) continue;
      const { channel, performative, payload } = frame;
      return { type: typeOf(performative), channel, fields: performative, payload };
    }
  }

  /** The next frame of this type, past others. */
  async nextOf(type) {
    for (;;) {
      const frame = await this.next();
      if (frame.type === type) return frame;
    }
  }

  async #until(holds) {
    const deadline = Date.now() + PATIENCE_MS;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error("the broker sends nothing more");
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

const typeOf = (performative) => String(performative.constructor).split("#")[0];

/** The sections of a message by their codes, as typed values. */
function sectionsOf(payload) {
  const reader = new types.Reader(payload);
  const sections = {};
  while (reader.remaining()) {
    const section = reader.read();
    sections[section.descriptor.value] = section;
  }
  return sections;
}

/** A map as `{key: {type, value}}`. */
function typedMap(section) {
  const entries = {};
  for (let at = 0; at < section.value.length; at += 2) {
    const typed = section.value[at + 1];
    entries[section.value[at].value] = { type: typed.type.name, value: types.unwrap(typed) };
  }
  return entries;
}

function token(resource, keyName = "RootManageSharedAccessKey", key = "SAS_KEY_VALUE") {
  const encoded = encodeURIComponent(resource);
  const expiry = Math.floor(Date.now() / 1000) + 3600;
  const signature = createHmac("sha256", key).update(`${encoded}\n${expiry}`).digest("base64");
  return `SharedAccessSignature sr=${encoded}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=${keyName}`;
}

module.exports = { Wire, encode: message.encode, frames, sectionsOf, token, typedMap, types };
