"""What a browser sends with a form, and whether one of the console's own pages made it send that."""

import hmac
import json
import secrets
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request

from shared.web.origins import Sender, sender_of
from shared.web.problems import ProblemError

COOKIE = "profile-relay-form"
FIELD = "token"
"""Of every form: the hidden field whose value only our pages know."""
SECRETS = frozenset({"key", "connection_string"})
"""Fields whose values no page shows again."""
_MOST_FIELDS = 2_000
_TOKEN_BYTES = 24


class Form:
    """The fields of a form, as text; one that is missing is empty, as an unchecked box is."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """Without the spaces around it, which people don't see."""
        return self.raw(name).strip()

    def edited(self, name: str, stored: str) -> str:
        """`text`, or `stored` where the field says what a browser makes of that: it shows no line ends."""
        text = self.text(name)
        return stored if text == stored.replace("\r", "").replace("\n", "").strip() else text

    def raw(self, name: str) -> str:
        return self._fields.get(name, [""])[-1]

    def lines(self, name: str) -> list[str]:
        """The lines of a text area that are not empty, as a browser ends them: other separators are part of a line."""
        lines = self.raw(name).replace("\r\n", "\n").split("\n")
        return [line.strip() for line in lines if line.strip()]

    def all(self, name: str) -> list[str]:
        """The values of all checked boxes of this name."""
        return self._fields.get(name, [])

    def checked(self, name: str) -> bool:
        return name in self._fields

    def with_text(self, name: str, text: str) -> "Form":
        """The same but for one field."""
        return Form(self._fields | {name: [text]})

    def again(self) -> list[tuple[str, str]]:
        """Each field and value, to be sent once more; of secrets nothing."""
        left_out = SECRETS | {FIELD}
        return [(name, value) for name, values in self._fields.items() if name not in left_out for value in values]


def line_of(text: str) -> str:
    """In quotes, as JSON has it, where a person could not see what a field or its line makes of it."""
    return text if text.isprintable() and text == text.strip() and not text.startswith('"') else json.dumps(text)


def text_of(line: str) -> str:
    """What `line_of` has made a line of, or whatever else was typed."""
    try:
        text = json.loads(line) if line.startswith('"') else line
        text.encode()
    except ValueError:  # also of half of a surrogate pair, which nothing can be made of
        return line
    return text


async def form_of(request: Request) -> Form:
    """Raises ProblemError (400)."""
    try:
        text = (await request.body()).decode()
        fields = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise ProblemError(400, f"expected the fields of a form in UTF-8, at most {_MOST_FIELDS:,}") from None
    return Form(fields)


Submitted = Annotated[Form, Depends(form_of)]
"""The form that was sent, as a parameter of a route."""


def token_of(request: Request) -> tuple[str, bool]:
    """The token that this browser's forms carry, and whether it is new: then a cookie must tell the browser."""
    known = request.cookies.get(COOKIE, "")
    if known:
        return known, False
    if not hasattr(request.state, "form_token"):
        request.state.form_token = secrets.token_urlsafe(_TOKEN_BYTES)
    return request.state.form_token, True


async def require_own_page(request: Request) -> None:
    """Any page can make a browser send a form, so something has to show that it was one of ours: what the browser says
    of the page, or that the form carries the token which only our pages can read.

    Raises ProblemError (403).
    """
    if sender_of(request) is Sender.OWN_PAGE:
        return
    known, given = request.cookies.get(COOKIE, ""), (await form_of(request)).raw(FIELD)
    if not known or not hmac.compare_digest(known.encode(), given.encode()):
        raise ProblemError(403, "this form was not sent by a page of the console: open the page again, then send it")
