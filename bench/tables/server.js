"use strict";

// A stand-in for Table Storage that benches measure against: what the app asks on a change's way, several times as fast
// as the app asks it. Rows are in memory, as the text that came; signatures are not looked at.

const fs = require("node:fs");
const net = require("node:net");
const tls = require("node:tls");
const { parseArgs } = require("node:util");

const { Tables } = require("./tables.js");

const HELP = `Table Storage stand-in for measurements; never deployed. Listens on 127.0.0.1 only.

  node bench/tables/server.js [options]

  --conflict-every N   each Nth replacement of a row finds that somebody else has just saved the same (default 0: none)
  --key FILE           with --cert: TLS by this key and certificate, at a port of its own
  --cert FILE

When ready it prints one line: {"event":"listening","port":...,"tlsPort":...}
Each account is the first part of a path: http://127.0.0.1:<port>/<account>
`;

const END_OF_HEAD = Buffer.from("\r\n\r\n");
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;
const IF_MATCH = /\r\nif-match: *([^\r]+)/i;

// The requests on one connection, answered in their order.
class Connection {
  constructor(socket, tables) {
    this.socket = socket;
    this.tables = tables;
    this.rest = Buffer.alloc(0);
  }

  read(data) {
    this.rest = this.rest.length ? Buffer.concat([this.rest, data]) : data;
    for (;;) {
      const end = this.rest.indexOf(END_OF_HEAD);
      if (end < 0) return;
      const head = this.rest.latin1Slice(0, end);
      const length = Number(CONTENT_LENGTH.exec(head)?.[1] ?? 0);
      const begin = end + END_OF_HEAD.length;
      if (this.rest.length < begin + length) return;
      const body = this.rest.utf8Slice(begin, begin + length);
      this.rest = this.rest.subarray(begin + length);
      const [method, path] = head.slice(0, head.indexOf("\r\n")).split(" ", 2);
      this.answer(this.tables.handle(method, path, IF_MATCH.exec(head)?.[1], body));
    }
  }

  answer({ status, etag, code, body = "", next }) {
    const content = code === undefined ? body : JSON.stringify({ "odata.error": { code, message: { value: code } } });
    this.socket.write(
      `HTTP/1.1 ${status} ${code ?? "OK"}\r\n` +
        (etag === undefined ? "" : `ETag: ${etag}\r\n`) +
        (code === undefined ? "" : `x-ms-error-code: ${code}\r\n`) +
        (next === undefined
          ? ""
          : `x-ms-continuation-NextPartitionKey: ${encodeURIComponent(next.partitionKey)}\r\n` +
            `x-ms-continuation-NextRowKey: ${encodeURIComponent(next.rowKey)}\r\n`) +
        (content === "" ? "" : "Content-Type: application/json;odata=minimalmetadata\r\n") +
        (status === 204 ? "" : `Content-Length: ${Buffer.byteLength(content)}\r\n`) +
        `Server: Windows-Azure-Table/1.0\r\nx-ms-version: 2019-02-02\r\n\r\n${content}`,
    );
  }
}

function main() {
  const { values } = parseArgs({
    options: {
      "conflict-every": { type: "string", default: "0" },
      key: { type: "string" },
      cert: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const tables = new Tables(Number(values["conflict-every"]));
  const serve = (socket) => {
    socket.setNoDelay(true);
    const connection = new Connection(socket, tables);
    socket.on("data", (data) => connection.read(data));
    socket.on("error", () => socket.destroy());
  };
  const ports = { port: net.createServer(serve) };
  if (values.key !== undefined) {
    ports.tlsPort = tls.createServer({ key: fs.readFileSync(values.key), cert: fs.readFileSync(values.cert) }, serve);
  }
  let waiting = Object.keys(ports).length;
  const ready = () => {
    waiting -= 1;
    if (waiting > 0) return;
    const bound = Object.entries(ports).map(([name, server]) => [name, server.address().port]);
    process.stdout.write(`${JSON.stringify({ event: "listening", ...Object.fromEntries(bound) })}\n`);
  };
  for (const server of Object.values(ports)) server.listen(0, "127.0.0.1", ready);
}

main();
