"use strict";

// Sees how connections and links come to an end.
//
//   node endings.js SCENARIO AMQP_PORT CONTROL_PORT HUB

const { begin, connected, dataOf, play, putToken, renewToken, send, setClock, transfer } = require("./dotnet-client.js");

const KEEP_ALIVE = Buffer.from([0, 0, 0, 8, 2, 0, 0, 0]);
const errorOf = ({ fields: { error } }) => ({ condition: error.condition, description: error.description });

/** A connection with a link that has sent. */
async function sending(port, hub) {
  const { wire } = await connected(port);
  await begin(wire, 0);
  await putToken(wire, hub);
  await begin(wire, 1);
  await send(wire, 1, hub, ["one"]);
  return wire;
}

const SCENARIOS = {
  async silence({ port, control, hub }) {
    const { wire: silent } = await connected(port);
    await begin(silent, 0);
    const alive = await sending(port, hub);
    for (const seconds of [120, 239]) {
      alive.socket.write(KEEP_ALIVE);
      await renewToken(alive, hub); // its answer says that the frame before it has been read
      await setClock(control, seconds);
    }
    await renewToken(alive, hub);
    await setClock(control, 241);
    const closed = errorOf(await silent.nextOf("close"));
    const status = await renewToken(alive, hub);
    return { closed, keptAlive: status["status-code"].value < 300 };
  },

  async token({ port, control, hub }) {
    const wire = await sending(port, hub);
    const end = 3600; // of the token, in seconds from now
    let settled;
    for (let seconds = 200; seconds < end; seconds += 200) {
      // The link is used, the token stays as it was.
      await setClock(control, seconds);
      wire.write(1, [transfer(wire, 1, { message_format: 0 }), dataOf(Buffer.from("more"))]);
      settled = (await wire.nextOf("disposition")).fields.settled;
    }
    await setClock(control, end + 20);
    return { before: settled, ...errorOf(await wire.nextOf("detach")) };
  },

  async limit({ port, hub }) {
    const first = await sending(port, hub);
    await connected(port);
    const { wire: third } = await connected(port);
    const refused = errorOf(await third.nextOf("close"));
    first.socket.end();
    await new Promise((resolve) => first.socket.once("close", resolve));
    const again = await sending(port, hub);
    return { refused, afterOneEnded: !again.socket.destroyed };
  },
};

play(SCENARIOS);
