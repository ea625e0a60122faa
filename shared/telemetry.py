"""Logging: what a worker says, without the SDKs' chatter and without personal data."""

import logging


def configure_logging() -> None:
    """The SDKs log every request and link at INFO; that would bury what the app says."""
    logging.getLogger("azure").setLevel(logging.WARNING)
