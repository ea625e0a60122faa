"""A program that behaves as the real Functions host does to whoever starts it, without being one.

    fake_host.py FOLDER [OPTIONS OF run-host OR func]

FOLDER/play.json says how it goes: `functions` with the errors of each, `looks` at its state until it runs, `says`
(lines of its log), `ends` (at once). FOLDER/notes gets a line for each thing that is done to it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[1])
PLAY: dict[str, Any] = {"functions": {"work": []}, "looks": 2} | json.loads((FOLDER / "play.json").read_text())


def note(**facts: Any) -> None:
    with (FOLDER / "notes").open("a") as notes:
        notes.write(json.dumps(facts) + "\n")


class Handler(BaseHTTPRequestHandler):
    key: str | None
    left = PLAY["looks"]
    draining = 3

    def do_GET(self) -> None:
        if self.key is not None and self.headers.get("x-functions-key") != self.key:
            return self._answer(401)
        if self.path == "/admin/host/status":
            Handler.left -= 1
            return self._answer(200, {"state": "Running" if Handler.left < 0 else "Initializing"})
        if self.path == "/admin/functions":
            return self._answer(200, [{"name": name} for name in PLAY["functions"]])
        if self.path == "/admin/host/drain":
            note(did="drain")
            return self._answer(202)
        if self.path == "/admin/host/drain/status":
            Handler.draining -= 1
            return self._answer(200, {"state": "InProgress" if Handler.draining else "Completed"})
        for name, errors in PLAY["functions"].items():
            if self.path == f"/admin/functions/{name}/status":
                return self._answer(200, {"errors": errors} if errors else {})
        return self._answer(200, {"path": self.path})

    do_POST = do_GET  # noqa: N815

    def _answer(self, status: int, body: Any = None) -> None:
        encoded = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *_: Any) -> None:
        """The log is for what is played."""


def end(*_: Any) -> None:
    note(did="SIGTERM")
    sys.exit(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--port", type=int)
    parser.add_argument("--python")
    parser.add_argument("--key")
    parser.add_argument("--state")
    parser.add_argument("--graceful", action="store_true")
    parser.add_argument("what")
    args = parser.parse_args([*sys.argv[2:], *(["nothing"] if "--prepare" in sys.argv else [])])
    if args.prepare:
        sys.exit(PLAY.get("cannot prepare"))
    signal.signal(signal.SIGTERM, end)
    # As with the real one, the worker knows nothing of signals, and outlives its host.
    output = subprocess.DEVNULL if "silent worker" in PLAY else None
    worker = subprocess.Popen(["sleep", "600"], stdout=output, stderr=output)
    note(did="start", worker=worker.pid, what=args.what, environment=dict(os.environ))
    print(*PLAY.get("says", ()), sep="\n", flush=True)
    if "ends" in PLAY:
        sys.exit(1)
    Handler.key = args.key
    with ThreadingHTTPServer(("127.0.0.1", args.port), Handler) as server:
        print(f"Now listening on: http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
