from pathlib import Path

import pytest

from tests.kit.interpreters import InterpreterMissingError, find_interpreter

from .interpreter import interpreter_for_tests


def put_command(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine without any Python 3.13."""
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "home")}


def test_the_chosen_interpreter_comes_before_the_one_on_path(tmp_path: Path, bare: dict[str, str]) -> None:
    put_command(tmp_path / "bin/python3.13", "echo Python 3.13.1")
    chosen = put_command(tmp_path / "elsewhere/python", "echo Python 3.13.2")
    assert find_interpreter("3.13", {**bare, "PYTHON313": str(chosen)}) == chosen


def test_an_interpreter_of_another_version_is_not_accepted_even_when_chosen(
    tmp_path: Path, bare: dict[str, str]
) -> None:
    older = put_command(tmp_path / "elsewhere/python", "echo Python 3.12.13")
    with pytest.raises(InterpreterMissingError, match=r"not a Python 3\.13"):
        find_interpreter("3.13", {**bare, "PYTHON313": str(older)})


def test_a_shim_that_only_fails_is_passed_over(tmp_path: Path, bare: dict[str, str]) -> None:
    put_command(tmp_path / "bin/python3.13", "echo 'python3.13: command not found' >&2; exit 127")
    real = put_command(tmp_path / "home/.pyenv/versions/3.13.4/bin/python3.13", "echo Python 3.13.4")
    assert find_interpreter("3.13", bare) == real


def test_without_an_interpreter_the_message_says_how_to_get_one(bare: dict[str, str]) -> None:
    with pytest.raises(pytest.skip.Exception, match=r"pyenv install 3\.13.*PYTHON313"):
        interpreter_for_tests(bare)


def test_ci_must_have_an_interpreter(bare: dict[str, str]) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"no Python 3\.13"):
        interpreter_for_tests({**bare, "CI": "true"})
