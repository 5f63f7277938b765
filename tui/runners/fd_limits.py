"""How many files this process may have open: an engine needs a few for each worker, and most shells allow 1,024.

The engine raises its own limit as far as it may. What a job starts gets the limit that the user had: a program that
uses `select` breaks above 1,024.
"""

from __future__ import annotations

import errno
import resource

#: Files that an engine has open for a worker process, and for a command.
PER_WORKER = 4
PER_COMMAND = 3

#: The least that it has open for itself, and for each config.
OWN = 24
PER_CONFIG = 2

#: What macOS takes where it says that there is no limit.
MANY = 10_240

soft_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def raise_own() -> None:
    """Let this process open as many files as it may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for wanted in (hard, MANY):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            continue
        return


def of_children() -> int:
    """Return the limit that a job's process has to set: the one that this process came with, 0 where that holds."""
    return 0 if resource.getrlimit(resource.RLIMIT_NOFILE)[0] == soft_limit else soft_limit


def shortage(workers: int, commands: int, configs: int) -> str | None:
    """Return why a deck of so many parts can't run under the limit of this process, None if it can."""
    need = OWN + PER_WORKER * workers + PER_COMMAND * commands + PER_CONFIG * configs
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit in (resource.RLIM_INFINITY, -1) or need <= limit:
        return None
    return (
        f"{workers + commands} worker processes need about {need:,} open files, and the system allows {limit:,}: "
        "raise the hard limit (ulimit -Hn), or let jobs share one process by runner: thread or asyncio"
    )


def explained(error: OSError) -> str:
    """Return what kept a worker from being started, with what to do where this process has too many files open."""
    if error.errno not in (errno.EMFILE, errno.ENFILE):
        return str(error)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    whose = f"the {limit:,} files that it may have" if error.errno == errno.EMFILE else "all files that the system has"
    return (
        f"the engine has {whose} open: raise the hard limit (ulimit -Hn), or run fewer jobs in processes of their own"
    )
