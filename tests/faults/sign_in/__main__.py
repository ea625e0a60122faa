"""`python -m tests.faults.sign_in`: the app while its identity endpoint is out, at a cold start and under load.

Prints what came of both, writes it to .local/sign-in.json. Exits 1 if anything failed, was lost, ended as poison or in
quarantine, or if exports were not there in time after the endpoint's return.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.harness.report import headline
from tests.kit.environments import CHECKOUT
from tests.kit.ingestion import make_certificate

_HEALED_SECONDS = {"first": 30.0, "last": 60.0}
"""From the endpoint's return: until there are exports again, and until what had failed just before has come again."""
_RESULTS = Path(".local/sign-in.json")
_DIRECTORY = Path(".local/sign-in")
_NOTHING = ("lost", "poison", "quarantined", "failures", "retried", "duplicates")


def measured(
    directory: Path,
    *,
    outage: float,
    load: float,
    life: int,
    out: tuple[float, float],
    settings: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Both parts, in a process that trusts the certificate which is made for them; a part of 0 seconds is left out."""
    directory.mkdir(parents=True, exist_ok=True)
    certificate = directory.absolute() / "certificate.pem"
    make_certificate(certificate)
    asked = {"directory": str(directory.absolute()), "certificate": str(certificate), "outage": outage, "load": load}
    asked |= {"life": life, "out": out, "settings": dict(settings or {})}
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.sign_in.run"],
        cwd=CHECKOUT,
        input=json.dumps(asked),
        env={**os.environ, "SSL_CERT_FILE": str(certificate)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def wrong(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What must be nothing and is not."""
    named = [(part, name, figures.get(name, 0)) for part, figures in found.items() for name in _NOTHING]
    healed = found.get("coldStart", {})
    late = [(name, healed.get(name, 0.0)) for name, most in _HEALED_SECONDS.items() if healed.get(name, 0.0) > most]
    return [f"{part}: {name} {count}" for part, name, count in named if count] + [
        f"coldStart: the {name} export came after {seconds:.1f} s" for name, seconds in late
    ]


def main(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    out = (args.life * 0.45, args.life * 0.7)
    found = measured(_DIRECTORY, outage=args.outage, load=args.load, life=args.life, out=out)
    heading = headline(" ".join(["python -m tests.faults.sign_in", *arguments]))
    print(f"{heading}\n{json.dumps(found, indent=2)}")
    _RESULTS.write_text(json.dumps({"how": heading, **found}, indent=2) + "\n", encoding="utf-8")
    for each in wrong(found):
        print(f"wrong: {each}", file=sys.stderr)
    return 1 if wrong(found) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.sign_in",
        description="Run the app by tokens alone while the endpoint that gives them is out.",
    )
    parser.add_argument("--outage", type=float, default=600.0, help="seconds of the outage at a cold start (600)")
    parser.add_argument("--load", type=float, default=240.0, help="seconds under load (240)")
    parser.add_argument(
        "--life",
        type=int,
        default=80,
        help="seconds for which a token is good (80); then the endpoint is out while "
        "the first one is between 45 and 70 %% of it",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
