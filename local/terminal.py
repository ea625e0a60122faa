"""Output that people and pipes can both read."""

from rich.console import Console

_FEW_SECONDS = 10


class PipeAwareConsole(Console):
    """Leaves a closed pipe to the caller, where Rich would end the process with code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(*, stderr: bool = False, width: int | None = None) -> Console:
    """Never wraps lines or colours numbers: connection strings get copied, lines get grepped.

    `width` is for tables, which would else be fitted into 80 characters where there is no terminal.
    """
    return PipeAwareConsole(stderr=stderr, highlight=False, soft_wrap=True, width=width)


def printable(text: object) -> str:
    """Without the control characters with which data could drive the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(text))


def duration(seconds: float) -> str:
    """In the largest unit of which there are two or more: `2.5 s`, `45 s`, `3 min`, `30 h`, `12 d`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    rounded = f"{max(0.0, seconds):.{0 if seconds >= _FEW_SECONDS else 1}f}"
    return f"{rounded.removesuffix('.0')} s"
