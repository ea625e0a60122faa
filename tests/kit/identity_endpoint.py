"""An identity endpoint for tests, by App Service's protocol and by IMDS's. Nobody has signed its tokens."""

import base64
import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_HEADER = "made-for-this-test"
_DAY = 86_400
_SOMEBODY = "00000000-0000-0000-0000-000000000001"
ISSUER = "https://sts.windows.net/test/"
_APP_SERVICE = ("/msi/token", "X-IDENTITY-HEADER", _HEADER, "2019-08-01")
_IMDS = ("/metadata/identity/oauth2/token", "Metadata", "true", "2018-02-01")
"""Of each protocol the path, the header that it asks for, and its version."""


@dataclass(slots=True)
class IdentityEndpoint:
    """`asked`: the resource of each request. `life`: for how many seconds tokens are good, as it says; they are taken
    for `beyond` seconds more, so that a request may be slow. `out`: the client ids whose requests fail, which are
    counted as `failed`.
    """

    port: int = 0
    asked: list[str] = field(default_factory=list)
    life: int = _DAY
    beyond: int = _DAY
    out: set[str] = field(default_factory=set)
    failed: int = 0

    @property
    def settings(self) -> Mapping[str, str]:
        """For App Service's protocol."""
        return {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{self.port}/msi/token", "IDENTITY_HEADER": _HEADER}

    @property
    def imds_settings(self) -> Mapping[str, str]:
        """For IMDS's, which has an address of its own in Azure."""
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": f"http://127.0.0.1:{self.port}"}

    def answer(self, resource: str) -> dict[str, str]:
        self.asked.append(resource)
        now = int(time.time())
        token = token_for(resource, now + self.life + self.beyond)
        return {
            "access_token": token,
            "expires_in": str(self.life),
            "expires_on": str(now + self.life),
            "resource": resource,
            "token_type": "Bearer",
        }


def token_for(resource: str, expires_at: float, issuer: str = ISSUER) -> str:
    """As Azurite and the local Event Hubs take it; `expires_at` in seconds since 1970."""
    since = int(time.time()) - 60
    claims: dict[str, Any] = {"aud": resource, "iss": issuer, "iat": since, "nbf": since, "exp": int(expires_at)}
    claims |= {"jti": uuid.uuid4().hex, "oid": _SOMEBODY, "tid": _SOMEBODY}  # no two are the same
    return f"{_encoded({'alg': 'none', 'typ': 'JWT'})}.{_encoded(claims)}."


@contextmanager
def identity_endpoint() -> Iterator[IdentityEndpoint]:
    endpoint = IdentityEndpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            target = urlsplit(self.path)
            asked = parse_qs(target.query)
            known = any(
                (target.path, self.headers.get(header), asked.get("api-version")) == (path, value, [version])
                for path, header, value, version in (_APP_SERVICE, _IMDS)
            )
            status = 200 if known else 400  # so IMDS answers who looks whether it is there
            if known and asked.get("client_id", [""])[0] in endpoint.out:
                endpoint.failed += 1
                status = 500
            document: Any = endpoint.answer(asked["resource"][0]) if status == 200 else {"message": "not now"}
            body = json.dumps(document).encode()
            self.send_response(status)
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
