"""Why Azure Storage did not do what was asked, in one line."""

from azure.core.exceptions import AzureError, HttpResponseError


def reason_of(error: AzureError) -> str:
    """Status and the service's own code, such as `HTTP 503 ServerBusy`; what the SDK says where no answer came."""
    if isinstance(error, HttpResponseError) and error.status_code:
        code = getattr(error.response, "headers", {}).get("x-ms-error-code") or getattr(error, "error_code", None)
        return f"HTTP {error.status_code} {getattr(code, 'value', code) or error.reason}"
    return " ".join(str(error).split())
