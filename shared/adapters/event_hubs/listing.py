"""The names of a namespace's hubs, from its management surface: an Atom feed in pages, not trusted with anything."""

import asyncio
from xml.etree import ElementTree

import aiohttp

from shared.adapters.event_hubs.problems import blocked, busy, says_blocked, unknown_host, unreachable, without_key
from shared.domain.configuration.credentials import Credentials, IdentityCredentials
from shared.ports.connections import ConnectionProblem

PAGE = 100
MOST_PAGES = 50
MOST_BYTES = 1_048_576
_ATOM = "{http://www.w3.org/2005/Atom}"


class NotAFeedError(ValueError):
    """What came is no Atom feed, or more of one than anybody needs."""


class _WithoutDoctype(ElementTree.TreeBuilder):
    """Refuses what could define entities, before any is."""

    def doctype(self, *_: object) -> None:
        raise NotAFeedError("it has a document type")


def names_in(feed: bytes) -> list[str]:
    """The titles of the entries. Raises NotAFeedError."""
    parser = ElementTree.XMLParser(target=_WithoutDoctype())  # noqa: S314 - no document type, hence no entities
    try:
        parser.feed(feed)
        root = parser.close()
    except ElementTree.ParseError as error:
        raise NotAFeedError(str(error)) from None
    if root.tag != f"{_ATOM}feed":
        raise NotAFeedError("its root is something else")
    titles = (entry.findtext(f"{_ATOM}title") for entry in root.iter(f"{_ATOM}entry"))
    return [title for title in titles if title]


async def list_hubs(
    credentials: Credentials,
    base: str,
    authorization: str,
    timeout: float,  # noqa: ASYNC109
) -> tuple[str, ...] | ConnectionProblem:
    """Every hub behind the URL `base`, or what is wrong. `authorization` is the header of that name."""
    namespace = credentials.namespace
    try:
        async with asyncio.timeout(timeout), aiohttp.ClientSession() as session:
            return await _pages(session, base, authorization, credentials)
    except TimeoutError:
        return unreachable(namespace, f"no answer within {timeout:g} s")
    except NotAFeedError as error:
        return ConnectionProblem("other", f"{namespace} listed its hubs as no feed that could be read: {error}")
    except aiohttp.ClientConnectorDNSError:
        return unknown_host(namespace)
    except aiohttp.ClientSSLError:
        return ConnectionProblem("other", f"{namespace} has no certificate that the app trusts")
    except aiohttp.ClientConnectorError:
        return unreachable(namespace, "the connection could not be made")
    except aiohttp.ClientError as error:
        return ConnectionProblem("other", f"{namespace}: {without_key(str(error), credentials)}")


async def _pages(
    session: aiohttp.ClientSession, base: str, authorization: str, credentials: Credentials
) -> tuple[str, ...] | ConnectionProblem:
    names: list[str] = []
    for page in range(MOST_PAGES):
        query = {"api-version": "2014-01", "$skip": str(page * PAGE), "$top": str(PAGE)}
        headers = {"Authorization": authorization}
        # A redirect would lead where nobody looked whether the app may go.
        request = session.get(f"{base}/$Resources/EventHubs", params=query, headers=headers, allow_redirects=False)
        async with request as response:
            body = await _body(response)
            if response.status != 200:
                return _refusal(response.status, body.decode(errors="replace"), credentials)
        found = names_in(body)
        names += found
        if len(found) < PAGE:
            break
    return tuple(names)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > MOST_BYTES:
            raise NotAFeedError(f"it is larger than {MOST_BYTES:,} bytes")
    return bytes(body)


def _refusal(status: int, body: str, credentials: Credentials) -> ConnectionProblem:
    namespace = credentials.namespace
    if says_blocked(body):
        return blocked(namespace)
    if status in (401, 403):
        if isinstance(credentials, IdentityCredentials):
            who = "the app's identity may not list its hubs (that needs the role Azure Event Hubs Data Owner)"
        else:
            who = f"the policy {credentials.key_name!r} may not list its hubs (that needs Manage), or the key is wrong"
        return ConnectionProblem("no-manage-claim", f"{namespace}: {who}: name the hub")
    if status in (429, 503):
        return busy(namespace)
    return ConnectionProblem("other", f"{namespace} does not list its hubs (HTTP {status}): name the hub")
