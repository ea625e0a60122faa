"""Ask the real host all requests of the table, and write its answers: `python -m tests.real_host.record_http_requests`.

The environment names the host and a Python before 3.13 for its worker, as for `--host real` (CONTRIBUTING.md). Read
what changed before it is committed: the stand-in is held to it.
"""

import sys
import tempfile
from pathlib import Path

from local.errors import LocalError
from local.stack.functions_host import HostKind
from local.stack.local_stack import require_host
from tests.kit.http_requests import TABLE, ask, bytes_of, echoing, read_table, write_table


def main() -> int:
    entries = read_table()
    try:
        require_host(HostKind.REAL)
        with tempfile.TemporaryDirectory() as folder, echoing(HostKind.REAL, Path(folder)) as port:
            for entry in entries:
                entry["answer"] = ask(port, bytes_of(entry))
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    write_table(entries)
    print(f"{len(entries)} answers written to {TABLE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
