"""docs/errors.md lists every code once, each with a cause and with what to do, and nothing else."""

import re
from pathlib import Path
from typing import get_args

from shared.errors import DELIVERY_CODES, QUARANTINE_CODES, FailureCode
from shared.ports.connections import ProblemKind
from shared.web.console.advice import ADVICE

DOCUMENT = (Path(__file__).parents[3] / "docs/errors.md").read_text(encoding="utf-8")


def rows() -> list[tuple[str, str, str]]:
    found = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \|$", DOCUMENT, re.MULTILINE)
    return [(code, cause, remedy) for code, cause, remedy in found]


def test_every_code_stands_there_once_and_in_the_order_of_the_code() -> None:
    assert [code for code, _, _ in rows()] == [str(code) for code in FailureCode]
    assert all(len(cause) > 10 and remedy for _, cause, remedy in rows())


def test_each_code_is_of_what_is_sent_or_of_what_is_taken_in() -> None:
    assert {*DELIVERY_CODES, *QUARANTINE_CODES} == set(FailureCode)
    assert {*DELIVERY_CODES} & {*QUARANTINE_CODES} == {FailureCode.GAVE_UP}


def test_what_a_check_finds_is_called_as_what_a_failed_export_is() -> None:
    """But for what keeps hubs from being listed, which keeps no export back."""
    assert set(get_args(ProblemKind)) - set(FailureCode) == {"no-manage-claim"}


def test_pages_say_what_to_do_in_the_words_of_the_docs() -> None:
    plain = {code: re.sub(r"\[(.*?)\]\(.*?\)", r"\1", remedy).replace("`", "") for code, _, remedy in rows()}
    assert plain == ADVICE
