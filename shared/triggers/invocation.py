"""What holds for every invocation, whatever its trigger."""

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from shared.said_outside import invocation, said_outside

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


def ends(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T | None]]:
    """`function`, which ends by a result or an exception that the worker tells the host of.

    `SystemExit` would end the worker with all that is in flight there, and a cancellation never be answered. Of what
    the app expects to fail, storage above all, the message says everything: it is one line of the app's log, for
    host.json keeps the host's own out, and the exception goes on without its stack. With a message that was left on its
    queue it succeeds: the host would count what failed.
    """

    @wraps(function)
    async def ended(*args: P.args, **kwargs: P.kwargs) -> T | None:
        from shared.errors import MessageLeftError, RelayError  # here, as indexing the functions needs none of them

        with invocation():
            try:
                return await function(*args, **kwargs)
            except MessageLeftError as error:
                logger.error("%s: %s", function.__name__, error)
                return None
            except RelayError as error:
                logger.warning("%s failed: %s", function.__name__, error)
                raise error.with_traceback(None) from None
            except Exception:
                raise
            except BaseException as error:
                raise RuntimeError(f"the invocation was ended by {type(error).__name__}") from error
            finally:
                for line, times in said_outside.take():
                    logger.warning("said outside of an invocation (%d times): %s", times, line)

    return ended
