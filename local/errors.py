"""What goes wrong on the local stack's command line, said so that it can be printed as it is.

LocalError
├── SettingMissingError    no settings file, or a setting is not in it
├── AlreadyRunningError    another `up` owns the state directory
├── PortsTakenError        somebody else listens where the stack wants to
├── ToolMissingError       Node.js or its packages are not installed
├── PartFailedError        a process of the stack did not start, or died
├── StartAbandonedError    the start was called off: not a failure
└── ExportsUnreadableError the exports of a hub cannot be read
"""


class LocalError(Exception):
    """The root of the tree above. Messages say what is wrong, where, and what to do next."""


class SettingMissingError(LocalError):
    """No settings file, or a setting is not in it."""


class AlreadyRunningError(LocalError):
    """Another `up` owns the state directory."""


class PortsTakenError(LocalError):
    """Somebody else listens where the stack wants to."""


class ToolMissingError(LocalError):
    """Node.js or its packages are not installed."""


class PartFailedError(LocalError):
    """A process of the stack did not start, or died."""


class StartAbandonedError(LocalError):
    """The start was called off by whoever asked for it: not a failure."""


class ExportsUnreadableError(LocalError):
    """The exports of a hub cannot be read."""
