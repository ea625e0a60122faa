"""What keeps the host from starting."""


class HostStartError(Exception):
    """The app or its configuration cannot be run; the message says what is wrong, where, and what to do next."""
