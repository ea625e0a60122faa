#!/usr/bin/env bash
# azure-eventhub 5.15.1: a client with use_tls=False, as for the emulator's connection string, makes a TLS context and
# reads all trusted certificates into it for each connection that it opens, though nothing of it is used: some 30 ms of
# CPU, in which an event loop does nothing else. With TLS it is the same, once for each connection. A context that the
# client is given (ssl_context=) is used instead, with use_tls=False, too.
# Seen: contexts made for 3 connections without TLS: 3; with ssl_context given: 0
# Exits 0 while that is so, 1 when it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check azure-eventhub==5.15.1 aiohttp==3.13.2
cat > "$work/show.py" <<'PYTHON'
import asyncio
import logging
import ssl

from azure.eventhub.aio import EventHubProducerClient, EventHubSharedKeyCredential

logging.disable()
plain = ssl.SSLContext
made = []


class Counted(plain):
    def load_verify_locations(self, *args, **kwargs):
        made.append(args)
        return super().load_verify_locations(*args, **kwargs)


async def contexts_made(port, **given):
    made.clear()
    for _ in range(3):
        key = EventHubSharedKeyCredential("send", "bm90LWEta2V5")
        client = EventHubProducerClient(f"127.0.0.1:{port}", "hub", key, retry_total=0, use_tls=False, **given)
        async with client:
            try:
                await client.get_partition_ids()
            except Exception:
                pass  # nobody there speaks AMQP
    return len(made)


async def main():
    async def hang_up(reader, writer):
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        ssl.SSLContext = Counted
        without = await contexts_made(port)
        given = await contexts_made(port, ssl_context=plain(ssl.PROTOCOL_TLS_CLIENT))
        print(f"contexts made for 3 connections without TLS: {without}; with ssl_context given: {given}")


asyncio.run(main())
PYTHON
seen=$("$work/venv/bin/python" "$work/show.py")
echo "$seen"
[[ $seen == *"without TLS: 3; with ssl_context given: 0" ]]
