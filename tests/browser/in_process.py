"""The console over fakes, for a browser to look at: no stack has to be started, and every answer can be held back."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from playwright.async_api import BrowserContext, Error, Request, Route

from tests.kit.api import BASE_URL
from tests.kit.console import SAME_ORIGIN, Console

URL = f"{BASE_URL}/console"
_PASSED = frozenset({"accept", "content-type", "if-none-match"})
Before = Callable[[Request], Awaitable[None]]


async def _at_once(_request: Request) -> None:
    return


async def serve(context: BrowserContext, console: Console, before: Before = _at_once) -> None:
    """Let `console` answer what pages of `context` ask of it; `before` ends before an answer is given to a page."""

    async def answer(route: Route) -> None:
        request = route.request
        passed = {name: value for name, value in request.headers.items() if name in _PASSED}
        given = await console.request(
            request.method, request.url, content=request.post_data_buffer, headers=passed | SAME_ORIGIN
        )
        await before(request)
        # A page may have given up on what it asked for.
        with suppress(Error):
            if given.status_code == 303:
                # A redirect would be followed over the network; this begins a navigation that is answered here.
                leads = {"refresh": f"0;url={given.headers['location']}"}
                await route.fulfill(status=200, headers=leads, body="")
                return
            await route.fulfill(status=given.status_code, headers=dict(given.headers), body=given.content)

    await context.route(f"{BASE_URL}/**", answer)
