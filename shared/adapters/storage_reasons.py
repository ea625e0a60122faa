"""What a failure of Azure Storage comes to: why it did not do what was asked, in one line."""

from azure.core.exceptions import AzureError, HttpResponseError

from shared.adapters.identity import refused_token, renew_if_refused
from shared.adapters.kept_tokens import SignInError
from shared.errors import StorageError, StorageSignInError

_REFUSED = "it takes no token of the app's identity, not even a new one: see that both are of one tenant"


def storage_error(what: str, error: AzureError) -> StorageError:
    """The app's own error: `what` could not be done. StorageSignInError where that is for want of a token."""
    message = f"{what}: {reason_of(error)}"
    if isinstance(error, SignInError):
        without = StorageSignInError(message)
        without.asked_ago = error.asked_ago
        return without
    return (StorageSignInError if refused_token(error) is not None else StorageError)(message)


def reason_of(error: AzureError) -> str:
    """Status and the service's own code, such as `HTTP 503 ServerBusy`; what the SDK says where no answer came.

    A token that was refused is renewed before it is used again.
    """
    renew_if_refused(error)
    if isinstance(error, HttpResponseError) and error.status_code:
        code = getattr(error.response, "headers", {}).get("x-ms-error-code") or getattr(error, "error_code", None)
        said = f"HTTP {error.status_code} {getattr(code, 'value', code) or error.reason}"
        return f"{said}: {_REFUSED}" if refused_token(error) is not None else said
    return " ".join(str(error).split())
