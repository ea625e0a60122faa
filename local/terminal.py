"""Output that people and pipes can both read."""

from rich.console import Console


class PipeAwareConsole(Console):
    """Leaves a closed pipe to the caller, where Rich would end the process with code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Never wraps lines or colours numbers: connection strings get copied, lines get grepped."""
    return PipeAwareConsole(stderr=stderr, highlight=False, soft_wrap=True)


def printable(text: object) -> str:
    """Without the control characters with which data could drive the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(text))
