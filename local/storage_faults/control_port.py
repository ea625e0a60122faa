"""The HTTP/JSON side, for tests and the local stack: GET, PUT and DELETE of `/faults`."""

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from local.storage_faults.rules import ArmedFaults, StorageFault

_RULES = TypeAdapter(list[StorageFault])


def control_app(faults: ArmedFaults) -> web.Application:
    """Reads and replaces the rules of `faults`."""

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

    app = web.Application()
    app.add_routes([web.get("/faults", get), web.put("/faults", put), web.delete("/faults", delete)])
    return app


def _explained(error: ValidationError) -> str:
    """Which rule, which field, and what it must be."""
    reasons = (
        f"{'.'.join(map(str, reason['loc'])) or 'the body'}: {reason['msg']}"
        for reason in error.errors(include_url=False)
    )
    return f"send a JSON list of fault rules; no rule was changed, because of {'; '.join(reasons)}"
