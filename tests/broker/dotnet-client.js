"use strict";

// Connections, links and requests as the .NET SDK (Azure.Messaging.EventHubs 5.12.2) makes them, frame by frame as they
// were recorded. So the tests need no .NET.

const { Wire, encode, frames, sectionsOf, token, typedMap, types } = require("./wire.js");

const SETTLED = { snd_settle_mode: 1, rcv_settle_mode: 0 };
const UNSETTLED = { snd_settle_mode: 0, rcv_settle_mode: 0 };
const BATCH_FORMAT = 0x80013700;
const [DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS, APPLICATION_PROPERTIES, DATA, VALUE] = [0x71, 0x72, 0x74, 0x75, 0x77];

/** A connection as .NET opens it: SASL MSSBCBS, no other mechanism known. */
async function connected(port, init = { mechanism: "MSSBCBS" }) {
  const wire = await Wire.connect(port);
  await wire.exchangeHeader(3);
  const { fields: offered } = await wire.nextOf("sasl_mechanisms");
  wire.write(0, frames.sasl_init(init));
  const { fields: outcome } = await wire.nextOf("sasl_outcome");
  if ((outcome.code ?? 0) !== 0) return { refused: outcome.code, mechanisms: offered.sasl_server_mechanisms };
  await wire.exchangeHeader(0);
  const open = { container_id: "hub-1", hostname: "127.0.0.1", max_frame_size: 65536, channel_max: 8191 };
  wire.write(0, frames.open({ ...open, idle_time_out: 30000 }));
  const { fields } = await wire.nextOf("open");
  return { wire, open: fields, mechanisms: offered.sasl_server_mechanisms };
}

async function begin(wire, channel) {
  const window = { next_outgoing_id: 1, incoming_window: 5000, outgoing_window: 5000 };
  wire.write(channel, frames.begin({ ...window, handle_max: 262143 }));
  await wire.nextOf("begin");
}

function terminus(code, fields) {
  return types.described(types.wrap_ulong(code), types.wrap_list(fields));
}

const source = (address, filter = null) => terminus(0x28, [address, null, null, null, null, null, null, filter]);
const target = (address) => terminus(0x29, [address]);

/** Both links of a request/response node; each answer that attaches them. */
async function openRequests(wire, node) {
  const link = { name: `${node}:sender`, handle: 0, role: false, ...SETTLED };
  wire.write(0, frames.attach({ ...link, source: source(null), target: target(node) }));
  const answers = [await wire.nextOf("attach")];
  const back = { name: `${node}:receiver`, handle: 1, role: true, ...SETTLED };
  wire.write(0, frames.attach({ ...back, source: source(node), target: target("replies") }));
  answers.push(await wire.nextOf("attach"));
  wire.write(0, flow({ handle: 1, link_credit: 50 }));
  return answers.map(({ fields }) => [fields.snd_settle_mode ?? 2, fields.rcv_settle_mode ?? 0]);
}

function flow(fields) {
  const session = { next_incoming_id: 0, incoming_window: 5000, next_outgoing_id: 1, outgoing_window: 2048 };
  return frames.flow({ ...session, delivery_count: 0, ...fields });
}

/** `fields` of a transfer on a session's link 0; deliveries are counted for each session. */
function transfer(wire, channel, fields) {
  wire.deliveries ??= {};
  const id = (wire.deliveries[channel] = (wire.deliveries[channel] ?? -1) + 1);
  return frames.transfer({ handle: 0, delivery_id: id, delivery_tag: Buffer.from([id]), ...fields });
}

async function request(wire, properties, body = null) {
  const payload = encode({ message_id: "request1", reply_to: "replies", application_properties: properties, body });
  wire.write(0, [transfer(wire, 0, { settled: true, message_format: 0 }), payload]);
  const reply = sectionsOf((await wire.nextOf("transfer")).payload);
  return { status: typedMap(reply[APPLICATION_PROPERTIES]), body: reply[VALUE] };
}

async function putToken(wire, hub, path = "") {
  await openRequests(wire, "$cbs");
  return renewToken(wire, hub, path);
}

async function renewToken(wire, hub, path = "") {
  const properties = { operation: "put-token", type: "servicebus.windows.net:sastoken" };
  const name = `amqp://127.0.0.1/${hub}${path}`;
  return (await request(wire, { ...properties, name }, token(`amqps://127.0.0.1/${hub}`))).status;
}

function attachReader(hub, { group = "$Default", position = "amqp.annotation.x-opt-offset > -1", level, handle = 0 }) {
  const filter = types.wrap_symbolic_map({
    "apache.org:selector-filter:string": types.described(types.wrap_ulong(0x137000000a), types.wrap_string(position)),
  });
  const properties = { "com.microsoft:entity-type": types.wrap_int(8), "com.microsoft:receiver-name": `reader-${level}` };
  if (level !== undefined) properties["com.microsoft:epoch"] = types.wrap_long(level);
  return frames.attach({
    ...{ name: `reader-${level}-${handle}`, handle, role: true, ...SETTLED },
    source: source(`/${hub}/ConsumerGroups/${group}/Partitions/0`, filter),
    target: target("reader"),
    desired_capabilities: ["com.microsoft:georeplication", "com.microsoft:enable-receiver-runtime-metric"],
    properties,
  });
}

async function send(wire, channel, address, bodies, settleModes = UNSETTLED) {
  const link = { name: `sender-${channel}`, handle: 0, role: false, ...settleModes };
  wire.write(channel, frames.attach({ ...link, source: source("producer"), target: target(address) }));
  const answer = await wire.nextOf("attach");
  await wire.nextOf("flow");
  const batch = Buffer.concat(bodies.map((body) => dataOf(dataOf(Buffer.from(body)))));
  wire.write(channel, [transfer(wire, channel, { message_format: BATCH_FORMAT, batchable: true }), batch]);
  return { answer: answer.fields, disposition: (await wire.nextOf("disposition")).fields };
}

/** A data section, which is a whole message, too. */
function dataOf(bytes) {
  const writer = new types.Writer();
  writer.write(types.described(types.wrap_ulong(DATA), types.wrap_binary(bytes)));
  return writer.toBuffer();
}

/** The stand-in's clock. */
function setClock(control, aheadSeconds) {
  return fetch(`http://127.0.0.1:${control}/clock`, { method: "PUT", body: JSON.stringify({ aheadSeconds }) });
}

/** Plays the scenario that the command line names, and prints what it saw as JSON: SCENARIO AMQP_PORT CONTROL_PORT HUB */
async function play(scenarios) {
  const [scenario, port, control, hub] = process.argv.slice(2);
  const seen = await scenarios[scenario]({ port: Number(port), control: Number(control), hub });
  process.stdout.write(`${JSON.stringify(seen)}\n`);
  process.exit(0);
}

module.exports = {
  DATA,
  DELIVERY_ANNOTATIONS,
  MESSAGE_ANNOTATIONS,
  attachReader,
  begin,
  connected,
  dataOf,
  flow,
  openRequests,
  play,
  putToken,
  renewToken,
  request,
  send,
  setClock,
  transfer,
};
