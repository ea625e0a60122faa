"""No test is left out: each folder of tests is part of `make test` or of `make test-long`, and CI runs both."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_each_folder_is_run_once() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lists = re.findall(r"^(?:LONG_)?TESTS := (.*)$", makefile, re.MULTILINE)
    run = [folder for folders in lists for folder in folders.split()]
    there = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    assert sorted(run) == sorted(there)
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert re.findall(r"^make (.+)$", ci, re.MULTILINE) == ["test", "test-long"]
