"""Send what could not be sent: every record in the outbox, each to the store that it is for."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tandem.beside import ask, renew, store_uri, use_store
from tandem.errors import TrackingError
from tandem.progress import Display
from tandem.redaction import shown
from tandem.settings import Settings
from tandem.tracking import address, all_waiting, flush


def send(settings: Settings) -> None:
    """Send all records of this machine's outbox, runs before those below them; say how many.

    Raises TrackingError where some are left; where they are for a store whose address has a login,
    which the outbox does not keep, `tracking.uri` has to give it.
    """
    use_store(settings.tracking.uri)
    given, here, sent = store_uri(), Path.cwd(), 0
    left: list[str] = []
    try:
        for uri, folder in all_waiting():
            with Display("send").stage(shown(uri or folder)):
                if faults := [*_to(given if address(given) == uri else uri, folder)]:
                    left += faults
                    continue
                found = ask(flush)
            sent += found.sent
            left += [f"{key}: {why}" for key, why in found.left.items()]
    finally:
        os.chdir(here)
    sys.stdout.write(f"{sent} sent, {len(left)} left\n")
    if left:
        raise TrackingError(left[0])


def _to(uri: str, folder: str) -> Iterator[str]:
    """Turn to the store `uri` of commands in `folder`; why that cannot be, if it cannot."""
    if "***@" in uri:
        yield f"tracking.uri: {uri}: its login is not kept -> tandem send tracking.uri=..."
    elif folder and not Path(folder).is_dir():
        yield f"{folder}: the working directory of a run is gone -> make it, tandem send"
    else:
        os.chdir(folder or ".")
        use_store(uri)
        renew()  # MLflow knows a store by its name, which may mean another one in each folder
