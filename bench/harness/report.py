"""What was measured, with where and when: as JSON, as a table in the terminal and as one in the documentation."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.harness.checks import Check, rounded
from local.stack.part import PROJECT

_PACKAGES = ("azure-data-tables", "azure-eventhub", "azure-storage-queue", "azure-core", "aiohttp", "pydantic")
_BEGIN, _END = "<!-- results: begin -->\n", "<!-- results: end -->\n"
_MIB = 1 << 20


@dataclass(frozen=True)
class MeasuredPart:
    """`figures` by name, for whoever computes with them; `checks` are for people; `runs` as they were measured."""

    name: str
    figures: dict[str, Any]
    checks: Sequence[Check]
    runs: Any = field(default_factory=dict)

    @property
    def met(self) -> bool:
        return all(check.holds for check in self.checks)

    def to_json(self, where: Mapping[str, Any], minutes: float) -> dict[str, Any]:
        return {
            "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
            "minutes": minutes,
            "where": where,
            "met": self.met,
            "figures": self.figures,
            "checks": [check.to_json() for check in self.checks],
            "runs": self.runs,
        }


def headline(command: str) -> str:
    """On which machine, when and how, in one line."""
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{datetime.now(UTC):%Y-%m-%d}: {command}"
    )


def environment() -> dict[str, Any]:
    """The machine, the versions and the commit: a figure without these says nothing."""
    azurite = json.loads((PROJECT / "node_modules" / "azurite" / "package.json").read_text(encoding="utf-8"))
    return {
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}",
        "cores": os.cpu_count(),
        "memoryGiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1024 * _MIB), 1),
        "commit": _output("git", "describe", "--always", "--dirty", "--exclude=*"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
            "node": _output("node", "--version").removeprefix("v"),
            "azurite": azurite["version"],
        },
    }


def _processor() -> str:
    """Its name where the system tells, which is not in platform.processor() on Linux."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=PROJECT)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def write_part(file: Path, part: MeasuredPart, where: Mapping[str, Any], minutes: float) -> dict[str, Any]:
    """Put `part` into the results in `file`, beside those of other parts, and return all of them."""
    results: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    results[part.name] = rounded(part.to_json(where, minutes))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


def markdown(results: Mapping[str, Any]) -> str:
    """A table for each part, behind where it was measured."""
    lines: list[str] = []
    told = ""
    for name, part in results.items():
        where = _where(part["where"])
        if where != told:
            lines += [where, ""]
            told = where
        lines += [f"**{name}**, {part['at'][:10]}, commit {part['where']['commit']}", ""]
        lines += ["| what | value | goal | | from |", "| --- | ---: | --- | --- | --- |"]
        lines += [_row(check) for check in part["checks"]]
        lines.append("")
    return "\n".join(lines)


def _where(where: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    return f"{where['machine']}, {where['cores']} cores, {where['memoryGiB']} GiB; {versions}:"


def _row(check: Mapping[str, Any]) -> str:
    verdict = {True: "met", False: "**not met**", None: ""}[check.get("holds")]
    value = "-" if check["value"] is None else f"{check['value']:,.4g}"
    return f"| {check['what']} | {value} | {check.get('bound', '')} | {verdict} | {check['of']} |"


def publish(results: dict[str, Any], page: Path) -> None:
    """Put the tables into `page`, between its two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    page.write_text(before + _BEGIN + "\n" + markdown(results) + _END + after, encoding="utf-8")
