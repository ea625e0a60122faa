"use strict";

const { parseArgs } = require("node:util");

const { AmqpPort } = require("./amqp-port.js");
const { Clock } = require("./clock.js");
const { ControlPort } = require("./control-port.js");
const { Faults } = require("./faults.js");
const { Hubs } = require("./hubs.js");
const { CLAIMS, SasRules } = require("./sas-rules.js");

const HELP = `Event Hubs stand-in for the local stack and the tests; never deployed. Listens on 127.0.0.1 only.

  node local/broker/server.js [options]

  --amqp-port N           port for the Azure SDK (default 0: chosen by the system)
  --control-port N        port for the HTTP control API (default 0: chosen by the system)
  --key-name NAME         name of the shared access key (default RootManageSharedAccessKey)
  --key KEY               the shared access key (default SAS_KEY_VALUE)
  --hub NAME:PARTITIONS   create this hub at the start; may be given more than once
  --consumer-group NAME   each hub has this group besides $Default; may be given more than once
  --retain N              events kept per partition, the oldest are dropped (default 100000)
  --max-message-bytes N   largest event or batch (default 1048576)
  --max-connections N     further ones are refused (default 5000, as in a Standard namespace)
  --help                  show this

When ready it prints one line: {"event":"listening","amqpPort":...,"controlPort":...}
Connection string: Endpoint=sb://127.0.0.1:<amqpPort>;SharedAccessKeyName=<NAME>;SharedAccessKey=<KEY>;\
UseDevelopmentEmulator=true;EntityPath=<hub>
Tokens of identities ("jwt") are taken unsigned, from the issuer https://sts.windows.net/test/, for https://eventhubs.azure.net.
Further keys: PUT /keys/{name} {"key":"...","claims":["Send"]}; claims are Manage, Send, Listen.
Control API: GET /hubs, PUT /hubs/{name} {"partitions":4,"consumerGroups":["loader"],"status":"Active",\
"geoReplicated":false}, DELETE /hubs/{name}, GET /keys, DELETE /keys/{name}, GET /stats,
GET /faults, PUT /faults [{"kind":"throttle","hub":"crm","count":2}], DELETE /faults, PUT /clock {"aheadSeconds":241};
GET /$Resources/EventHubs lists the hubs as the service does, for a key with the claim Manage.
`;

const OPTIONS = {
  "amqp-port": { type: "string", default: "0" },
  "control-port": { type: "string", default: "0" },
  "key-name": { type: "string", default: "RootManageSharedAccessKey" },
  key: { type: "string", default: "SAS_KEY_VALUE" },
  hub: { type: "string", multiple: true, default: [] },
  "consumer-group": { type: "string", multiple: true, default: [] },
  retain: { type: "string", default: "100000" },
  "max-message-bytes": { type: "string", default: "1048576" },
  "max-connections": { type: "string", default: "5000" },
  help: { type: "boolean", default: false },
};

class WrongOption extends Error {}

function readOptions() {
  let values;
  try {
    ({ values } = parseArgs({ options: OPTIONS }));
  } catch (error) {
    throw new WrongOption(error.message);
  }
  const whole = (name, least, most) => {
    const value = Number(values[name]);
    if (!/^\d+$/.test(values[name]) || value < least || value > most) {
      throw new WrongOption(`--${name} is "${values[name]}", and must be a whole number from ${least} to ${most}`);
    }
    return value;
  };
  if (values.key === "" || values["key-name"] === "") throw new WrongOption("--key and --key-name must not be empty");
  const clock = new Clock();
  const hubs = hubsOf(whole("retain", 1, 10_000_000), values["consumer-group"], clock);
  for (const hub of values.hub) createHub(hubs, hub);
  return {
    help: values.help,
    clock,
    hubs,
    amqpPort: whole("amqp-port", 0, 65535),
    controlPort: whole("control-port", 0, 65535),
    rules: rulesOf(values["key-name"], values.key),
    maxMessageBytes: whole("max-message-bytes", 1024, 1_073_741_824),
    maxConnections: whole("max-connections", 1, 1_000_000),
  };
}

function rulesOf(keyName, key) {
  const rules = new SasRules();
  rules.ensure(keyName, key, CLAIMS);
  return rules;
}

function hubsOf(retain, consumerGroups, clock) {
  try {
    return new Hubs({ retain, consumerGroups, clock });
  } catch (error) {
    throw new WrongOption(`--consumer-group: ${error.message}`);
  }
}

function createHub(hubs, text) {
  const [, name, partitions] = /^(.+):(\d+)$/.exec(text) ?? [];
  if (!name) throw new WrongOption(`--hub is "${text}", and must look like crm:4 (name and number of partitions)`);
  try {
    hubs.ensure(name, { partitions: Number(partitions) });
  } catch (error) {
    throw new WrongOption(`--hub ${text}: ${error.message}`);
  }
}

async function listen(server, port, option) {
  try {
    return (await server.listen(port)).address().port;
  } catch (error) {
    throw new WrongOption(`cannot listen on 127.0.0.1:${port} (${error.code}): choose another ${option}, or 0`);
  }
}

async function main() {
  const { help, amqpPort, controlPort, ...options } = readOptions();
  if (help) {
    process.stdout.write(HELP);
    return;
  }
  // Nothing outlives this process, so there is nothing to tidy up.
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
  const faults = new Faults();
  const amqp = new AmqpPort({ ...options, faults });
  const boundAmqpPort = await listen(amqp, amqpPort, "--amqp-port");
  const control = new ControlPort({ ...options, faults, amqp, amqpPort: boundAmqpPort });
  const ready = {
    event: "listening",
    amqpPort: boundAmqpPort,
    controlPort: await listen(control, controlPort, "--control-port"),
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

main().catch((error) => {
  const expected = error instanceof WrongOption;
  process.stderr.write(expected ? `${error.message}\nSee node local/broker/server.js --help\n` : `${error.stack}\n`);
  process.exit(expected ? 2 : 1);
});
