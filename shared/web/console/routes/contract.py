"""What a destination's consumers need: its contract, to copy."""

import json

from fastapi import APIRouter, Request, Response

from shared.domain.exports.contract.contract import contract_of
from shared.web.console.destination_page import CONTRACT, PATH, frame_of
from shared.web.console.pages import PageRoute, page, render
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
        documents={title: json.dumps(each, indent=2, ensure_ascii=False) for title, each in documents.items()},
    )
