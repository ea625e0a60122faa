"""The Key Vault adapter over HTTP, against a stand-in of the vault's REST surface: soft delete, refusals, silence."""

import gc
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import AioHttpTransport

from shared.adapters.kept_tokens import SignInError
from shared.adapters.secrets import key_vault
from shared.adapters.secrets.key_vault import KeyVaultSecrets
from shared.domain.instants import SECOND
from shared.errors import NoSignInError, SecretError
from shared.settings import Connection
from tests.contracts.secret_store import KEY, NAME, SecretStoreContract

VAULT = "https://relay.vault.azure.net"


class Vault:
    """Secrets with their versions; what is deleted keeps its name until it is recovered. `refusal` answers instead."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self.deleted: dict[str, dict[str, str]] = {}
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.attributes: dict[str, Any] = {}
        self._versions = count(1)
        self.app = web.Application()
        self.app.add_routes(
            [
                web.put("/secrets/{name}", self._set),
                web.get("/secrets/{name}/{version:.*}", self._get),
                web.delete("/secrets/{name}", self._delete),
                web.get("/deletedsecrets/{name}", self._get_deleted),
                web.post("/deletedsecrets/{name}/recover", self._recover),
            ]
        )
        self.app.middlewares.append(self._authorize)

    @web.middleware
    async def _authorize(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if "Authorization" not in request.headers:
            challenge = 'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"'
            return web.json_response({}, status=401, headers={"WWW-Authenticate": challenge})
        if self.refusal is not None:
            return web.json_response({"error": self.refusal[1]}, status=self.refusal[0])
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _set(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name in self.deleted:
            return web.json_response({"error": {"code": "Conflict", "message": "deleted but recoverable"}}, status=409)
        version = f"{next(self._versions):032x}"
        self.secrets.setdefault(name, {})[version] = (await request.json())["value"]
        return self._bundle(name, version)

    async def _get(self, request: web.Request) -> web.Response:
        name, version = request.match_info["name"], request.match_info["version"]
        versions = self.secrets.get(name, {})
        wanted = version or next(reversed(versions), "")
        return self._bundle(name, wanted) if wanted in versions else self._missing(name)

    async def _delete(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.secrets:
            return self._missing(name)
        self.deleted[name] = self.secrets.pop(name)
        return self._deleted_bundle(name)

    async def _get_deleted(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return self._deleted_bundle(name) if name in self.deleted else self._missing(name)

    async def _recover(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.secrets[name] = self.deleted.pop(name)
        return self._bundle(name, next(reversed(self.secrets[name])))

    def _bundle(self, name: str, version: str) -> web.Response:
        value = self.secrets[name][version]
        return web.json_response(
            {"id": f"{VAULT}/secrets/{name}/{version}", "value": value, "attributes": self.attributes}
        )

    @staticmethod
    def _deleted_bundle(name: str) -> web.Response:
        recovery = f"{VAULT}/deletedsecrets/{name}"
        return web.json_response({"id": f"{VAULT}/secrets/{name}", "recoveryId": recovery, "attributes": {}})

    @staticmethod
    def _missing(name: str) -> web.Response:
        return web.json_response({"error": {"code": "SecretNotFound", "message": f"no {name}"}}, status=404)


class ToStandIn(AioHttpTransport):  # type: ignore[misc]
    """The SDK insists on https and on a vault's host; this takes its requests to the stand-in."""

    def __init__(self, port: int) -> None:
        super().__init__(use_env_settings=False)
        self._port = port

    async def send(self, request: Any, **options: Any) -> Any:
        wanted = request.url
        request.url = wanted.replace(VAULT, f"http://127.0.0.1:{self._port}")
        try:
            return await super().send(request, **options)
        finally:
            request.url = wanted


class Identity:
    """Whoever it is, or nobody, as `failure` says."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        if self._failure is not None:
            raise self._failure
        return AccessToken("token", 4_102_444_800)

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        token = await self.get_token(*scopes, options=options)
        return AccessTokenInfo(token.token, token.expires_on)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> "Identity":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""


def secrets_at(port: int, identity: Identity | None = None) -> KeyVaultSecrets:
    vault = Connection("KEY_VAULT_URI", endpoint=VAULT)
    return KeyVaultSecrets(key_vault.connect(vault, identity or Identity(), transport=ToStandIn(port)))


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
async def port(vault: Vault) -> AsyncIterator[int]:
    runner = web.AppRunner(vault.app)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    yield listening.getsockname()[1]
    await runner.cleanup()
    gc.collect()


@pytest.fixture
async def store(port: int) -> AsyncIterator[KeyVaultSecrets]:
    secrets = secrets_at(port)
    yield secrets
    await secrets.close()


class TestKeyVaultSecrets(SecretStoreContract):
    @pytest.fixture
    def store(self, store: KeyVaultSecrets) -> KeyVaultSecrets:
        return store


async def test_a_deleted_secret_is_recovered_so_that_its_name_can_be_used_again(
    vault: Vault, store: KeyVaultSecrets
) -> None:
    first = await store.store(NAME, "old")
    await store.delete(NAME)
    assert (NAME in vault.secrets, NAME in vault.deleted) == (False, True)
    second = await store.store(NAME, KEY)
    assert vault.secrets == {NAME: {first: "old", second: KEY}}


async def test_a_secret_that_expires_says_when(vault: Vault, store: KeyVaultSecrets) -> None:
    version = await store.store(NAME, KEY)
    vault.attributes = {"enabled": True, "exp": 1_796_083_200}
    assert await store.expires_at(NAME, version) == 1_796_083_200 * SECOND


REFUSALS = [
    ((403, {"code": "Forbidden", "innererror": {"code": "ForbiddenByRbac"}}), "the role Key Vault Secrets Officer"),
    ((403, {"code": "Forbidden"}), "the role Key Vault Secrets Officer"),
    ((403, {"code": "Forbidden", "innererror": {"code": "ForbiddenByFirewall"}}), "firewall does not let the app in"),
    ((400, {"code": "BadParameter"}), "HTTP 400"),
]


@pytest.mark.parametrize(("refusal", "why"), REFUSALS)
async def test_a_refusal_says_what_to_do(
    vault: Vault, store: KeyVaultSecrets, refusal: tuple[int, dict[str, Any]], why: str
) -> None:
    # A careless service that repeats what it was sent must not make the app repeat it.
    vault.refusal = (refusal[0], refusal[1] | {"message": f"refused: {json.dumps({'value': KEY})}"})
    operations: dict[str, Callable[[], Awaitable[Any]]] = {
        "store": lambda: store.store(NAME, KEY),
        "read": lambda: store.read(NAME),
        "delete": lambda: store.delete(NAME),
    }
    for operation, request in operations.items():
        with pytest.raises(SecretError, match=f"^Key Vault {VAULT}: could not {operation} {NAME}: .*{why}") as refused:
            await request()
        assert KEY not in f"{refused.value!r} {store!r}"
        assert refused.value.__cause__ is None


async def test_a_vault_that_cannot_be_reached_is_told() -> None:
    unreachable = secrets_at(1)
    with pytest.raises(SecretError, match="cannot be reached: is KEY_VAULT_URI right"):
        await unreachable.store(NAME, KEY)
    await unreachable.close()


async def test_an_app_without_an_identity_is_told(port: int) -> None:
    nobody = secrets_at(port, Identity(ClientAuthenticationError("no identity here")))
    with pytest.raises(SecretError, match="could not sign in: does it have an identity"):
        await nobody.read(NAME)
    await nobody.close()


async def test_a_failing_sign_in_is_told_apart_from_the_vaults_answers(port: int) -> None:
    nobody = secrets_at(port, Identity(SignInError("sign-in fails since noon: HTTP 500")))
    with pytest.raises(NoSignInError, match="sign-in fails since noon: HTTP 500"):
        await nobody.read(NAME)
    await nobody.close()
