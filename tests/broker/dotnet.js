"use strict";

// Speaks to the stand-in as the .NET SDK (Azure.Messaging.EventHubs 5.12.2) does, frame by frame as it was recorded, and
// prints what comes back as JSON. So the tests need no .NET.
//
//   node dotnet.js SCENARIO AMQP_PORT CONTROL_PORT HUB

const {
  DATA,
  DELIVERY_ANNOTATIONS,
  MESSAGE_ANNOTATIONS,
  attachReader,
  begin,
  connected,
  flow,
  openRequests,
  play,
  putToken,
  renewToken,
  request,
  send,
  setClock,
  transfer,
} = require("./dotnet-client.js");
const { sectionsOf, token, typedMap } = require("./wire.js");

const SCENARIOS = {
  async properties({ port, hub }) {
    const { wire, open, mechanisms } = await connected(port);
    await begin(wire, 0);
    const settleModes = await openRequests(wire, "$management");
    const asked = { name: hub, operation: "READ", security_token: token(`amqps://127.0.0.1/${hub}`) };
    const found = await request(wire, { ...asked, type: "com.microsoft:eventhub" });
    const unknown = await request(wire, { ...asked, type: "com.microsoft:partition", partition: "9" });
    const stranger = await request(wire, { ...asked, type: "com.microsoft:eventhub", security_token: "no token" });
    const announced = { idleTimeOut: open.idle_time_out, channelMax: open.channel_max };
    return {
      ...{ mechanisms, settleModes, announced, status: found.status, hub: typedMap(found.body) },
      ...{ unknown: unknown.status, stranger: stranger.status },
    };
  },

  async read({ port, hub }) {
    const { wire } = await connected(port);
    await begin(wire, 0);
    await putToken(wire, hub, "/Partitions/0");
    await begin(wire, 1);
    const sent = await send(wire, 1, `/${hub}/Partitions/0`, ["one", "two"]);
    await begin(wire, 2);
    // In one go: what is sent must still not come ahead of the attach that answers.
    wire.write(2, attachReader(hub, { level: 0 }), flow({ handle: 0, link_credit: 100 }));
    const came = [];
    while (came.filter(({ type }) => type === "transfer").length < 2) came.push(await wire.next());
    const first = sectionsOf(came.find(({ type }) => type === "transfer").payload);
    const attached = came.find(({ type }) => type === "attach").fields;
    return {
      settled: sent.disposition.settled,
      order: came.map(({ type }) => type),
      settleModes: [attached.snd_settle_mode, attached.rcv_settle_mode ?? 0],
      annotations: typedMap(first[MESSAGE_ANNOTATIONS]),
      lastEnqueued: typedMap(first[DELIVERY_ANNOTATIONS]),
    };
  },

  async credit({ port, hub }) {
    // Without prefetching each receive grants credit for one batch, and takes the rest back when it has waited enough.
    const { wire } = await connected(port);
    await begin(wire, 0);
    await putToken(wire, hub);
    await begin(wire, 1);
    await send(wire, 1, `/${hub}/Partitions/0`, ["one", "two", "three"]);
    await begin(wire, 2);
    const read = [];
    wire.write(2, attachReader(hub, {}));
    await wire.nextOf("attach");
    for (let round = 0; read.length < 3; round++) {
      wire.write(2, flow({ handle: 0, link_credit: 1, delivery_count: read.length }));
      read.push(sectionsOf((await wire.nextOf("transfer")).payload)[DATA].value.toString());
    }
    wire.write(2, flow({ handle: 0, link_credit: 7, delivery_count: 3, drain: true }));
    const { fields: drained } = await wire.nextOf("flow");
    return { read, drained: { credit: drained.link_credit ?? 0, count: drained.delivery_count } };
  },

  async levels({ port, hub }) {
    const { wire } = await connected(port);
    await begin(wire, 0);
    await putToken(wire, hub);
    const refusals = {};
    for (const [channel, level] of [0, 1, 1, 0, undefined].entries()) {
      await begin(wire, channel + 1);
      wire.write(channel + 1, attachReader(hub, { level }));
      if (channel > 0) {
        const { channel: whose, fields } = await wire.nextOf("detach");
        refusals[channel] = { displaced: whose !== channel + 1, condition: fields.error.condition };
      }
    }
    return refusals;
  },

  async refusals({ port, hub }) {
    const { wire } = await connected(port);
    await begin(wire, 0);
    const unknownHub = await putToken(wire, `${hub}-2`);
    const own = await connected(port);
    await begin(own.wire, 0);
    await putToken(own.wire, hub);
    const refusedFor = async (channel, options) => {
      await begin(own.wire, channel);
      own.wire.write(channel, attachReader(hub, options));
      const { error } = (await own.wire.nextOf("detach")).fields;
      return { condition: error.condition, description: error.description };
    };
    return {
      unknownHub,
      unknownGroup: await refusedFor(1, { group: "nobody" }),
      beyondTheEnd: await refusedFor(2, { position: "amqp.annotation.x-opt-sequence-number > 50" }),
    };
  },

  async plain({ port, hub }) {
    const response = (key) => Buffer.from(`\0RootManageSharedAccessKey\0${key}`);
    const refused = await connected(port, { mechanism: "PLAIN", initial_response: response("wrong") });
    const { wire } = await connected(port, { mechanism: "PLAIN", initial_response: response("SAS_KEY_VALUE") });
    await begin(wire, 0);
    const sent = await send(wire, 0, hub, ["one"], { snd_settle_mode: 2, rcv_settle_mode: 1 });
    return { refused: refused.refused, settled: sent.disposition.settled, rcvSettleMode: sent.answer.rcv_settle_mode };
  },

  async idle({ port, control, hub }) {
    const { wire } = await connected(port);
    await begin(wire, 0);
    await putToken(wire, hub);
    await begin(wire, 1);
    await send(wire, 1, hub, ["one"]);
    for (let minutes = 3; minutes <= 30; minutes += 3) {
      // The connection is used, the link is not.
      await renewToken(wire, hub);
      await setClock(control, minutes * 60);
    }
    const { fields } = await wire.nextOf("detach");
    return { condition: fields.error.condition, description: fields.error.description };
  },
};

play(SCENARIOS);
