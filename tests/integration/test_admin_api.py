"""The admin API on the running app: behind the host's key, on real storage, under requests that nobody thought of."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local.stack.local_stack import LocalStack
from local.stack.part import PROJECT
from shared.web.app import openapi_document
from tests.kit import running_host
from tests.kit.running_relay import IMPATIENT
from tests.web.test_odd_ids import NAMED

KEY = "a function key of this test alone"
pytestmark = pytest.mark.runs_the_app
schemathesis.serializer.alias("application/x-ndjson", "text/plain")
SCHEMA = schemathesis.openapi.from_dict(openapi_document())


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with LocalStack(tmp_path_factory.mktemp("admin-api")) as stack:
        host = stack.start_functions_host(kind=running_host.KIND, settings=IMPATIENT | {"LOCAL_FUNCTION_KEY": KEY})
        yield host.url


@pytest.fixture
def client(base_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base_url, headers={"x-functions-key": KEY}, timeout=30) as client:
        yield client


def test_the_host_lets_nobody_in_without_a_key(base_url: str) -> None:
    assert httpx.get(f"{base_url}/api/config").status_code == 401


def test_the_configuration_is_stored(client: httpx.Client) -> None:
    assert client.put("/api/audiences/o'hara", json={"name": "ü"}).status_code == 201
    answer = client.get("/api/audiences/o'hara")
    assert (answer.status_code, answer.json()["name"]) == (200, "ü")
    again = client.put("/api/audiences/o'hara", json=answer.json(), headers={"If-Match": answer.headers["etag"]})
    assert again.status_code == 200
    deleted = client.delete("/api/audiences/o'hara")
    assert (deleted.status_code, deleted.content) == (204, b"")
    entries = client.get("/api/audit").json()["entries"]
    assert [entry["what"].split()[0] for entry in entries[:3]] == ["DELETE", "PUT", "PUT"]
    assert client.get("/api/audit?limit=1").json()["entries"] == entries[:1]


@pytest.mark.parametrize("audience_id", NAMED)
def test_an_audience_is_the_one_that_is_named(client: httpx.Client, audience_id: str) -> None:
    path = f"/api/audiences/{quote(audience_id, safe='')}"
    assert client.put(path, json={"name": "A"}).status_code == 201
    assert client.get(path).json()["id"] == audience_id
    assert audience_id in {each["id"] for each in client.get("/api/audiences").json()["audiences"]}
    assert client.delete(path).status_code == 204
    assert audience_id not in {each["id"] for each in client.get("/api/audiences").json()["audiences"]}


@pytest.mark.parametrize("path", ["/api/audiences/a%2Fb", "/console/destinations/a%2fb"])
def test_what_may_mean_two_things_is_refused_with_a_reason(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, "%2F" in answer.text) == (400, True)


def test_a_health_probe_may_ask_by_head(client: httpx.Client) -> None:
    answer = client.head("/api/openapi.json")
    assert (answer.status_code, answer.content) == (200, b"")
    assert client.head("/api/destinations/none").status_code == 404


def test_the_address_alone_leads_to_the_console(base_url: str) -> None:
    answer = httpx.get(base_url)
    assert (answer.status_code, answer.headers["location"]) == (302, "/console")


def test_a_file_is_written_to_the_address_of_an_upload_and_committed(client: httpx.Client) -> None:
    client.put("/api/audiences/list", json={"origin": "custom-upload"}).raise_for_status()
    created = client.post("/api/audiences/list/uploads").json()
    written = httpx.put(created["url"], headers=created["headers"], content=b"profileId\np\n")
    assert written.status_code == 201
    committed = client.post(f"/api/audiences/list/uploads/{created['upload']['id']}/commit")
    assert (committed.status_code, committed.json()["bytes"]) == (202, 12)
    posted = client.post(
        "/api/audiences/list/members", headers={"Content-Type": "text/csv"}, content=b"profileId\n" + b"p\n" * 2_000_000
    )
    assert (posted.status_code, posted.json()["bytes"]) == (202, 4_000_010)
    assert client.post(f"/api/audiences/list/uploads/{posted.json()['id']}/cancel").json()["state"] == "cancelled"


def test_the_document_is_what_the_repository_has(client: httpx.Client) -> None:
    assert client.get("/api/openapi.json").json() == openapi_document()


def host_refusal(answer: schemathesis.Response) -> int | None:
    """The status with which the host refuses a request by itself, without a body: the app never hears of it."""
    request = answer.request
    if len(f"{request.method} {request.path_url} HTTP/1.1\r\n") > 8 * 1024:
        return 414
    for value in request.headers.values():
        try:
            (value if isinstance(value, bytes) else value.encode("latin-1")).decode()
        except UnicodeDecodeError:
            return 400
    return None


@SCHEMA.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_is_too_much(case: schemathesis.Case[Any], base_url: str) -> None:
    """Whatever the document allows, and some that it does not, is answered as the document says."""
    answer = case.call(base_url=base_url, headers={"x-functions-key": KEY})
    if (refused_with := host_refusal(answer)) is not None:
        assert (answer.status_code, answer.content) == (refused_with, b"")
        return
    case.validate_response(
        answer,
        checks=[not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance],
    )


def test_queue_functions_do_without_fastapi() -> None:
    """A worker that handles messages imports neither FastAPI nor what only HTTP needs."""
    program = "\n".join(
        (
            "import asyncio, sys",
            "import function_app",
            "from shared.bootstrap import relay",
            "print(sorted(name for name in ('fastapi', 'starlette', 'shared.web') if name in sys.modules))",
        )
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
