"""What a destination's consumers need: its contract, to copy; and how far they are behind."""

import json

from fastapi import APIRouter, Request, Response

from shared.domain.configuration.model import Destination
from shared.domain.exports.contract.contract import contract_of
from shared.services.wiring import Services
from shared.views.consumer_lag import ConsumerLagView
from shared.web.console.destination_page import CONTRACT, PATH, frame_of
from shared.web.console.pages import PageRoute, known, page, render
from shared.web.context import AppServices
from shared.web.parameters import DestinationId

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("/{destination_id}/contract", **page(*CONTRACT.permissions))
async def show_contract(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    configuration = await services.edit_configuration.load()
    frame = frame_of(configuration, destination_id, CONTRACT)
    if frame["dataflow"] is None:
        return render(request, "no_contract.html", **frame)
    contract = contract_of(configuration, destination_id)
    documents = {
        "JSON Schema of the body": contract.body_schema,
        "JSON Schema of the application properties": contract.properties_schema,
        "AsyncAPI document": contract.asyncapi,
    }
    return render(
        request,
        "contract.html",
        **frame,
        contract=contract,
        lag=await _lag(services, frame["destination"], now=request.query_params.get("look") == "now"),
        now=services.clock(),
        documents={title: json.dumps(each, indent=2, ensure_ascii=False) for title, each in documents.items()},
    )


async def _lag(services: Services, destination: Destination, *, now: bool) -> ConsumerLagView | str | None:
    """What was seen lately, or is `now`; why that is not known; None where no container is named."""
    if destination.consumer_checkpoints is None:
        return None
    lags = services.consumer_lags
    look = await known(lags.look(destination) if now else lags.last(destination))
    return look if isinstance(look, str) else ConsumerLagView.of(look, destination.retention_hours)
