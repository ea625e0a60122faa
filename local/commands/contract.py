"""`python -m local contract`: what a destination's consumers may count on, as files."""

import argparse
import asyncio
import json
from pathlib import Path

from local.errors import LocalError
from local.relay import opened_relay
from local.stack.state import StackSettings, StateDirectory
from shared.domain.exports.contract.contract import Contract, contract_of
from shared.errors import NotConfiguredError, RelayError
from shared.views.contract import ContractView

SUMMARY = "write what a destination's consumers need: schemas, an AsyncAPI document, texts to paste"
DESCRIPTION = """\
Write the contract with the consumers of DESTINATION to a folder: JSON Schemas of body and application properties, an
AsyncAPI 3 document, and texts for Azure Data Explorer, Stream Analytics, PostgreSQL, DuckDB, Spark and Kafka clients.
All are made from the mapping and from what exports hold; the same configRevision gives the same files.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("destination", metavar="DESTINATION", help="its id")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the folder, which is made (default contract-DESTINATION)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, as the API answers, and no files")


def run(args: argparse.Namespace) -> int:
    try:
        contract = asyncio.run(_contract(StateDirectory(args.state_dir).settings(), args.destination))
    except NotConfiguredError as error:
        raise LocalError(f"there is no destination {args.destination!r} with a dataflow: {error}") from error
    except RelayError as error:
        raise LocalError(str(error)) from error
    if args.json:
        print(json.dumps(ContractView.of(contract).document()))
        return 0
    folder = args.out or Path(f"contract-{args.destination}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contract.files().items():
            (folder / name).write_text(text, encoding="utf-8")
            print(f"wrote {folder / name}")
    except OSError as error:
        raise LocalError(f"{folder} cannot be written to: {error.strerror}") from error
    return 0


async def _contract(settings: StackSettings, destination_id: str) -> Contract:
    async with opened_relay(settings) as relay:
        return contract_of(await relay.services.edit_configuration.load(), destination_id)
