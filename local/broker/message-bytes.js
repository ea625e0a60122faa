"use strict";

// AMQP 1.0 messages, cut and annotated as bytes: what a sender wrote is what a receiver reads.

const { types } = require("./rhea-for-azure.js");

const HEADER = 0x70;
const DELIVERY_ANNOTATIONS = 0x71;
const MESSAGE_ANNOTATIONS = 0x72;
const DATA = 0x75;
const BATCH_FORMAT = 0x80013700;
const PARTITION_KEY = "x-opt-partition-key";

class MalformedMessage extends Error {}

const FIXED_WIDTHS = { 0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16 };

function valueEnd(buffer, at) {
  if (at >= buffer.length) throw new MalformedMessage(`the message ends within a value, at byte ${at}`);
  if (buffer[at] === 0) return valueEnd(buffer, valueEnd(buffer, at + 1));
  const kind = buffer[at] >> 4;
  let end;
  if (kind in FIXED_WIDTHS) end = at + 1 + FIXED_WIDTHS[kind];
  else if (kind === 0xa || kind === 0xc || kind === 0xe) end = at + 2 + buffer[at + 1];
  else if (kind === 0xb || kind === 0xd || kind === 0xf) end = at + 5 + unsigned32(buffer, at + 1);
  if (!(end <= buffer.length)) throw new MalformedMessage(`byte ${at} does not start an AMQP value that fits`);
  return end;
}

function unsigned32(buffer, at) {
  if (at + 4 > buffer.length) throw new MalformedMessage(`the message ends within a length, at byte ${at}`);
  return buffer.readUInt32BE(at);
}

function* sectionsOf(buffer) {
  for (let at = 0; at < buffer.length; ) {
    // Each section starts with a described type whose descriptor is a small ulong.
    if (buffer[at] !== 0x00 || buffer[at + 1] !== 0x53) {
      throw new MalformedMessage(`byte ${at} does not start a message section`);
    }
    const end = valueEnd(buffer, at + 3);
    yield { code: buffer[at + 2], valueAt: at + 3, bytes: buffer.subarray(at, end), end };
    at = end;
  }
}

function* mapEntries(buffer, at) {
  const wide = buffer[at] === 0xd1;
  if (!wide && buffer[at] !== 0xc1) throw new MalformedMessage(`byte ${at} does not start a map`);
  const count = wide ? unsigned32(buffer, at + 5) : buffer[at + 2];
  let position = at + (wide ? 9 : 3);
  for (let pair = 0; pair < count / 2; pair++) {
    const valueAt = valueEnd(buffer, position);
    const end = valueEnd(buffer, valueAt);
    yield { key: textAt(buffer, position), value: textAt(buffer, valueAt), bytes: buffer.subarray(position, end) };
    position = end;
  }
}

function textAt(buffer, at) {
  const end = valueEnd(buffer, at);
  if ([0xa0, 0xa1, 0xa3].includes(buffer[at])) return buffer.toString("utf8", at + 2, end);
  if ([0xb0, 0xb1, 0xb3].includes(buffer[at])) return buffer.toString("utf8", at + 5, end);
  return null;
}

function partitionKeyOf(message) {
  for (const section of sectionsOf(message)) {
    if (section.code !== MESSAGE_ANNOTATIONS) continue;
    for (const entry of mapEntries(message, section.valueAt)) if (entry.key === PARTITION_KEY) return entry.value;
  }
  return null;
}

/** The events in one transfer, and the partition key that all of them share. */
function readTransfer(payload, format) {
  const messages = format === BATCH_FORMAT ? messagesOfBatch(payload) : [payload];
  messages.forEach(requireReadable);
  return { partitionKey: partitionKeyOf(payload), messages };
}

function messagesOfBatch(payload) {
  const messages = [];
  for (const section of sectionsOf(payload)) {
    if (section.code !== DATA) continue;
    const headBytes = payload[section.valueAt] === 0xa0 ? 2 : 5;
    messages.push(payload.subarray(section.valueAt + headBytes, section.end));
  }
  return messages;
}

// A broken event must be refused when it is sent, not discovered when somebody reads it.
function requireReadable(message) {
  for (const section of sectionsOf(message)) {
    if ([DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS].includes(section.code)) {
      Array.from(mapEntries(message, section.valueAt));
    }
  }
}

function annotationsFor(event, offset) {
  const annotations = [
    ["x-opt-sequence-number", types.wrap_long(event.sequenceNumber)],
    ["x-opt-offset", types.wrap_string(offset)],
    ["x-opt-enqueued-time", types.wrap_timestamp(event.enqueuedAt)],
  ];
  if (event.partitionKey !== null) annotations.push([PARTITION_KEY, types.wrap_string(event.partitionKey)]);
  return annotations;
}

function annotationsOf(lastEnqueued) {
  return [
    ["last_enqueued_sequence_number", types.wrap_long(lastEnqueued.sequenceNumber)],
    ["last_enqueued_offset", types.wrap_string(lastEnqueued.offset)],
    ["last_enqueued_time_utc", types.wrap_timestamp(lastEnqueued.enqueuedAt)],
    ["runtime_info_retrieval_time_utc", types.wrap_timestamp(lastEnqueued.retrievedAt)],
  ];
}

/** A map section of the sender's entries and the broker's own, which count where both have one of a name. */
function mapSection(code, entries, annotations) {
  const ours = new Set(annotations.map(([name]) => name));
  const kept = entries.filter(({ key }) => !ours.has(key)).map(({ bytes }) => bytes);
  if (kept.length + annotations.length === 0) return Buffer.alloc(0);
  const writer = new types.Writer();
  for (const [name, value] of annotations) {
    writer.write(types.wrap_symbol(name));
    writer.write(value);
  }
  const content = Buffer.concat([...kept, writer.toBuffer()]);
  const head = Buffer.from([0x00, 0x53, code, 0xd1, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(content.length + 4, 4);
  head.writeUInt32BE(2 * (kept.length + annotations.length), 8);
  return Buffer.concat([head, content]);
}

/**
 * The stored event as a receiver gets it: the broker's annotations added, all else untouched. The delivery annotations
 * tell of the partition's `lastEnqueued` event, if that is given. Sections come in AMQP's order, which Python's SDK does
 * not keep to.
 */
function annotated(event, offset, lastEnqueued) {
  const head = [];
  const forDelivery = [];
  const annotations = [];
  const rest = [];
  for (const section of sectionsOf(event.message)) {
    if (section.code === HEADER) head.push(section.bytes);
    else if (section.code === DELIVERY_ANNOTATIONS) forDelivery.push(...mapEntries(event.message, section.valueAt));
    else if (section.code === MESSAGE_ANNOTATIONS) annotations.push(...mapEntries(event.message, section.valueAt));
    else rest.push(section.bytes);
  }
  return Buffer.concat([
    ...head,
    mapSection(DELIVERY_ANNOTATIONS, forDelivery, lastEnqueued ? annotationsOf(lastEnqueued) : []),
    mapSection(MESSAGE_ANNOTATIONS, annotations, annotationsFor(event, offset)),
    ...rest,
  ]);
}

module.exports = { MalformedMessage, annotated, readTransfer };
