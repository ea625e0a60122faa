"""A stand-in for Application Insights' ingestion, and for the endpoint that gives identities their tokens."""

import gzip
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

IDENTITY = "/identity"


@dataclass
class Ingestion:
    """`items` are the telemetry items that were taken. `refusals` are answered first, one each: (status, headers).

    `token_status` is what the identity's endpoint answers with. Where it is `silent` nothing is answered until the end.
    """

    port: int = 0
    scheme: str = "http"
    items: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    token_status: int = 200
    silent: bool = False
    requests: list[str] = field(default_factory=list)
    """Path and query of each request."""
    authorizations: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def connection_string(self) -> str:
        key = "00000000-0000-0000-0000-000000000001"
        return f"InstrumentationKey={key};IngestionEndpoint={self.scheme}://127.0.0.1:{self.port}/"

    @property
    def identity(self) -> dict[str, str]:
        """The environment in which an identity's tokens are asked for here."""
        return {"IDENTITY_ENDPOINT": f"{self.scheme}://127.0.0.1:{self.port}{IDENTITY}", "IDENTITY_HEADER": "secret"}

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """`baseData` of the items of this `baseType`."""
        return [item["data"]["baseData"] for item in self.items if item["data"]["baseType"] == kind]

    def metrics(self, name: str) -> list[tuple[float, dict[str, str]]]:
        """The values of this metric, each with its attributes."""
        return [
            (metric["value"], data["properties"])
            for data in self.of_kind("MetricData")
            for metric in data["metrics"]
            if metric["name"] == name
        ]


@contextmanager
def ingestion(certificate: Path | None = None) -> Iterator[Ingestion]:
    """One that listens for as long as the context lasts; by TLS, if it is to write its certificate to a file."""
    told = Ingestion(scheme="https" if certificate else "http")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.requests.append(self.path)
            status = told.token_status
            expires = int(time.time()) + 86_400
            token = {"access_token": "a-token", "expires_on": str(expires), "resource": "r", "token_type": "Bearer"}
            self._answer(status, token if status == 200 else {"error": "none"})

        def do_POST(self) -> None:
            told.requests.append(self.path)
            told.authorizations.append(self.headers.get("Authorization", ""))
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if told.silent:
                told.ended.wait()
                return
            if told.refusals:
                status, headers = told.refusals.pop(0)
                self._answer(status, {}, headers)
                return
            sent = json.loads(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            told.items.extend(sent)
            self._answer(200, {"itemsReceived": len(sent), "itemsAccepted": len(sent), "errors": []})

        def _answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
            answer = json.dumps(document).encode()
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.port = server.server_port
        if certificate is not None:
            make_certificate(certificate)
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield told
        finally:
            told.ended.set()
            server.shutdown()
            serving.join()


def make_certificate(certificate: Path) -> None:
    """A certificate of 127.0.0.1 by nobody but itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
