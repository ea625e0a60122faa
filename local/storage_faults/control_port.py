"""The HTTP/JSON side, for tests and the local stack: the rules at `/faults`, the counts at `/requests`."""

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from local.storage_faults.counts import RequestCounts
from local.storage_faults.rules import ArmedFaults, StorageFault

_RULES = TypeAdapter(list[StorageFault])


def control_app(faults: ArmedFaults, counts: RequestCounts) -> web.Application:
    """Reads and replaces the rules of `faults`, reads and clears `counts`."""

    def listed() -> web.Response:
        return web.Response(body=_RULES.dump_json(faults.rules(), by_alias=True), content_type="application/json")

    async def get(request: web.Request) -> web.Response:
        return listed()

    async def put(request: web.Request) -> web.Response:
        try:
            faults.replace(_RULES.validate_json(await request.read()))
        except ValidationError as error:
            return web.Response(text=_explained(error), status=400)
        return listed()

    async def delete(request: web.Request) -> web.Response:
        faults.replace([])
        return web.Response(status=204)

    async def get_counts(request: web.Request) -> web.Response:
        return web.json_response(counts.to_json())

    async def delete_counts(request: web.Request) -> web.Response:
        counts.clear()
        return web.Response(status=204)

    app = web.Application()
    app.add_routes([web.get("/faults", get), web.put("/faults", put), web.delete("/faults", delete)])
    app.add_routes([web.get("/requests", get_counts), web.delete("/requests", delete_counts)])
    return app


def _explained(error: ValidationError) -> str:
    """Which rule, which field, and what it must be."""
    reasons = (
        f"{'.'.join(map(str, reason['loc'])) or 'the body'}: {reason['msg']}"
        for reason in error.errors(include_url=False)
    )
    return f"send a JSON list of fault rules; no rule was changed, because of {'; '.join(reasons)}"
