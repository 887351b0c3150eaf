"""A store for a team: MLflow's server on a PostgreSQL of its own, until it is told to end."""

import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

from tandem.machine import end_later
from tandem.progress import Display
from tandem.server import (
    ADMIN,
    Folder,
    address,
    database,
    front,
    is_local,
    opened,
    refuse_taken,
    refuse_unready,
)
from tandem.settings import ServerKeys

_LOOK = 0.5  # seconds between two looks at the programs
_END_SECONDS = 9.0  # first MLflow ends, then PostgreSQL


def serve(keys: ServerKeys) -> None:
    """Serve until a signal comes; say where, and what those who use it need.

    Raises ConfigurationError and MachineError where it cannot begin, MachineError where a program
    of it ends.
    """
    end_later(_END_SECONDS)
    refuse_unready(keys)
    with opened(keys.folder) as folder:
        refuse_taken(keys)
        with ExitStack() as programs:
            with Display("server").stage("starting"):
                running = [programs.enter_context(database(folder))]
                running.append(programs.enter_context(front(keys, folder)))
            sys.stdout.write("\n".join(_told(keys, folder)) + "\n")
            sys.stdout.flush()
            while True:
                for one in running:
                    one.check()
                time.sleep(_LOOK)


def _told(keys: ServerKeys, folder: Folder) -> Iterator[str]:
    yield f"serving    {address(keys)}"
    yield f"kept in    {folder.path}"
    yield f"to use it  export MLFLOW_TRACKING_URI={address(keys)}"
    if keys.auth:
        password = shlex.quote(str(folder.password_file))
        yield f"           export MLFLOW_TRACKING_USERNAME={ADMIN}"
        yield f'           export MLFLOW_TRACKING_PASSWORD="$(cat {password})"'
        yield f"for others {address(keys)}/signup, as {ADMIN}: a name and a password each"
    if not is_local(keys.host):
        yield "beware     passwords go unencrypted: let a proxy with TLS stand before it"
    if os.geteuid() == 0:
        yield "beware     MLflow runs as root, and writes where its users say: take another user"
    yield "to end it  Ctrl-C"
