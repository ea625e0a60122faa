from pathlib import Path

import pytest

from .compiler import CompilerMissingError, find_compiler


def put_command(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return path


def test_the_chosen_compiler_comes_before_the_one_on_path_and_that_before_the_one_beside(tmp_path: Path) -> None:
    chosen, on_path, beside = (
        put_command(tmp_path / folder / "bicep", "Bicep CLI version 0.49.2") for folder in ("chosen", "path", "beside")
    )
    path = {"PATH": str(on_path.parent)}
    assert find_compiler(path | {"BICEP": str(chosen)}, beside).path == chosen
    assert find_compiler(path, beside).path == on_path
    assert find_compiler({"PATH": ""}, beside).path == beside


def test_another_program_of_that_name_is_passed_over_but_not_where_it_was_chosen(tmp_path: Path) -> None:
    other = put_command(tmp_path / "path/bicep", "something else")
    beside = put_command(tmp_path / "beside/bicep", "Bicep CLI version 0.49.2")
    assert find_compiler({"PATH": str(other.parent)}, beside).path == beside
    with pytest.raises(CompilerMissingError, match="which is not a Bicep compiler"):
        find_compiler({"BICEP": str(other)}, beside)


def test_without_one_the_message_says_how_to_have_one(tmp_path: Path) -> None:
    with pytest.raises(CompilerMissingError, match="put `bicep` on PATH, or set BICEP"):
        find_compiler({"PATH": ""}, tmp_path / "none")
