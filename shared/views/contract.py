"""What a destination's consumers may count on, as the API shows it."""

from typing import Any

from pydantic import Field

from shared.domain.exports.contract.contract import Contract
from shared.views.view import TextOrNone, View


class ContractTextView(View):
    """What one kind of reader pastes, block by block; `fileName` is what `local contract` calls it."""

    title: str
    file_name: str
    language: str
    blocks: list[str]
    needs: TextOrNone = Field(description="What the destination has to choose before it works; null where it has")


class ContractView(View):
    """`configRevision`: since which exports look like this. The schemas are JSON Schema, draft 7."""

    destination_id: str
    config_revision: int
    body_schema: dict[str, Any]
    properties_schema: dict[str, Any]
    asyncapi: dict[str, Any] = Field(description="An AsyncAPI 3 document")
    texts: list[ContractTextView]

    @classmethod
    def of(cls, contract: Contract) -> "ContractView":
        return cls.model_validate(contract)
