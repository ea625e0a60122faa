"""App settings with which nothing is wrong."""

_STORAGE = "DefaultEndpointsProtocol=https;AccountName=relay;AccountKey=YQ==;EndpointSuffix=core.windows.net"

DEPLOYED = {
    "RELAY_STORAGE": _STORAGE,
    "AzureWebJobsStorage": _STORAGE,
    "PROFILE_CHANGES_QUEUE": "profile-changes",
    "WATCH_SCHEDULE": "*/30 * * * * *",
    "BACKFILL_SCHEDULE": "0 * * * * *",
    "SWEEP_SCHEDULE": "0 0 3 * * *",
    "ALERT_SCHEDULE": "0 * * * * *",
}
"""As little as is needed."""
