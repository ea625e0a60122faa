#!/usr/bin/env bash
# azure-identity 1.27.0: from half of a token's life on both managed identity credentials ask for a new one. Where the
# endpoint fails then, the synchronous credential hands out the token that it holds, which is good for hours more; the
# asynchronous one (azure.identity.aio) raises. An outage of the endpoint so stops an asynchronous app half a day early.
# Seen: synchronous: a token that is good for 11 hours; asynchronous: ClientAuthenticationError
# Exits 0 while that is so, 1 when it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check azure-identity==1.27.0 azure-core==1.41.0 aiohttp==3.13.2
cat > "$work/show.py" <<'PYTHON'
import asyncio
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LIFE = 24 * 3600
works = True


class Endpoint(BaseHTTPRequestHandler):
    """App Service's protocol: a token that is good for a day, or HTTP 500."""

    def do_GET(self):
        body = {"access_token": "t", "expires_on": str(int(time.time()) + LIFE), "resource": "r", "token_type": "Bearer"}
        self.send_response(200 if works else 500)
        self.end_headers()
        self.wfile.write(json.dumps(body if works else {"message": "out"}).encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ |= {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{server.server_port}/", "IDENTITY_HEADER": "h"}
SCOPE, NO_RETRIES = "https://storage.azure.com/.default", {"retry_total": 0}
real_time = time.time


def say(who, call):
    try:
        hours = (call() - time.time()) / 3600
        print(f"{who}: a token that is good for {hours:.0f} hours")
        return "token"
    except Exception as error:
        print(f"{who}: {type(error).__name__}")
        return "raised"


async def asynchronous():
    global works
    from azure.identity.aio import ManagedIdentityCredential

    async with ManagedIdentityCredential(**NO_RETRIES) as credential:
        await credential.get_token(SCOPE)
        works, time.time = False, lambda: real_time() + 0.55 * LIFE
        try:
            token = await credential.get_token(SCOPE)
        except Exception as error:
            return say("asynchronous", lambda: (_ for _ in ()).throw(error))
        return say("asynchronous", lambda: token.expires_on)


def synchronous():
    global works
    from azure.identity import ManagedIdentityCredential

    with ManagedIdentityCredential(**NO_RETRIES) as credential:
        credential.get_token(SCOPE)
        works, time.time = False, lambda: real_time() + 0.55 * LIFE
        return say("synchronous", lambda: credential.get_token(SCOPE).expires_on)


sync_outcome = synchronous()
works, time.time = True, real_time
async_outcome = asyncio.run(asynchronous())
sys.exit(0 if (sync_outcome, async_outcome) == ("token", "raised") else 1)
PYTHON
"$work/venv/bin/python" "$work/show.py"
