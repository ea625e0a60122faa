"""Runs where DuckDB and fastjsonschema are: what they make of a contract and of bodies, from and to JSON."""

import json
import os
import sys
from typing import Any

import duckdb
import fastjsonschema


def main() -> None:
    asked: dict[str, Any] = json.load(sys.stdin)
    os.chdir(asked["folder"])
    valid = fastjsonschema.compile(asked["schema"])
    for body in asked["bodies"]:
        valid(body)
    database = duckdb.connect()
    # Twice: what comes again changes nothing.
    for block in [*asked["blocks"], *asked["blocks"]]:
        database.execute(block)
    json.dump([database.execute(query).fetchall() for query in asked["queries"]], sys.stdout)


main()
