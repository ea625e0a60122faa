"""App Service's identity endpoint, for tests: whoever has its header is given tokens, which nobody has signed."""

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_HEADER = "made-for-this-test"
_DAY = 86_400


@dataclass(slots=True)
class IdentityEndpoint:
    """`asked`: the resource of each request. `life`: for how many seconds tokens are good, as it says; storage
    takes them for a day, so that a request may be slow.
    """

    port: int = 0
    asked: list[str] = field(default_factory=list)
    life: int = _DAY

    @property
    def settings(self) -> Mapping[str, str]:
        return {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{self.port}/msi/token", "IDENTITY_HEADER": _HEADER}

    def answer(self, resource: str) -> dict[str, str]:
        self.asked.append(resource)
        now = int(time.time())
        times = {"iat": now - 60, "nbf": now - 60, "exp": now + _DAY}
        claims: dict[str, Any] = {"aud": resource, "iss": "https://sts.windows.net/test/", **times}
        token = f"{_encoded({'alg': 'none', 'typ': 'JWT'})}.{_encoded(claims)}."
        return {"access_token": token, "expires_on": str(now + self.life), "resource": resource, "token_type": "Bearer"}


@contextmanager
def identity_endpoint() -> Iterator[IdentityEndpoint]:
    endpoint = IdentityEndpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            known = self.headers.get("X-IDENTITY-HEADER") == _HEADER and asked.get("api-version") == ["2019-08-01"]
            document: Any = endpoint.answer(asked["resource"][0]) if known else {"message": "who are you?"}
            body = json.dumps(document).encode()
            self.send_response(200 if known else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        endpoint.port = server.server_port
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield endpoint
        finally:
            server.shutdown()
            serving.join()


def _encoded(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
