"""What a failure of Azure Storage comes to: why it did not do what was asked, in one line."""

from azure.core.exceptions import AzureError, HttpResponseError

from shared.adapters.identity import renew_if_refused


def reason_of(error: AzureError) -> str:
    """Status and the service's own code, such as `HTTP 503 ServerBusy`; what the SDK says where no answer came.

    A token that was refused is renewed before it is used again.
    """
    renew_if_refused(error)
    if isinstance(error, HttpResponseError) and error.status_code:
        code = getattr(error.response, "headers", {}).get("x-ms-error-code") or getattr(error, "error_code", None)
        return f"HTTP {error.status_code} {getattr(code, 'value', code) or error.reason}"
    return " ".join(str(error).split())
