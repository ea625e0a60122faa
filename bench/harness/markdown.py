"""Tables as Markdown has them."""

from collections.abc import Iterable, Sequence


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A column is of text, and on the left, if its head begins with a capital letter; else of numbers."""
    lines = [heads, ["---" if head[:1].isupper() else "---:" for head in heads], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
