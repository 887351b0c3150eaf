"""What a server keeps, and where: one folder, which one server has at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

from tandem.errors import ConfigurationError, MachineError
from tandem.machine import taken, write_atomically

ADMIN = "admin"  # the name of the first user of MLflow
_BYTES = 24  # of a password, drawn by the system
_SOCKET = len("/.s.PGSQL.5432")
_LONGEST = 107  # bytes of a socket's path, by the system


@dataclass(frozen=True, slots=True)
class Folder:
    """The places below `path`."""

    path: Path

    @property
    def postgres(self) -> Path:
        """PostgreSQL's: its data, and the socket where it answers."""
        return self.path / "postgres"

    @property
    def files(self) -> Path:
        """Files of runs and models."""
        return self.path / "files"

    @property
    def password_file(self) -> Path:
        """The password that ADMIN begins with."""
        return self.path / "admin-password"

    def log(self, name: str) -> Path:
        """What a program has said since it was started."""
        return self.path / f"{name}.log"

    def password(self) -> str:
        """Of ADMIN; drawn where there is none. Only the owner of the file may read it."""
        if not self.password_file.exists():
            write_atomically(self.password_file, token_urlsafe(_BYTES), 0o600)
        return self.password_file.read_text(encoding="utf-8").strip()


@contextmanager
def opened(name: str) -> Iterator[Folder]:
    """The folder called `name`, made where it is not there, for this process alone.

    Raises ConfigurationError where its path is none for a socket, MachineError where it cannot be
    written or another server has it.
    """
    folder = Folder(Path(name).expanduser().absolute())
    if len(os.fsencode(folder.postgres)) + _SOCKET > _LONGEST or "," in str(folder.path):
        raise ConfigurationError(
            f"server.folder: {name}: PostgreSQL's socket is in it: at most "
            f"{_LONGEST - _SOCKET - len('/postgres')} bytes, no comma -> a shorter path"
        )
    try:
        if not folder.path.is_dir():
            folder.path.mkdir(parents=True)
            # Under root PostgreSQL is another user, who passes through.
            folder.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        folder.files.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(folder.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise MachineError(
            f"server.folder: {folder.path}: {error.strerror} -> server.folder=... elsewhere"
        ) from error
    try:
        if not taken(handle):
            raise MachineError(
                f"server.folder: {folder.path}: a server runs on it -> use that, end it, or "
                "server.folder=... server.port=..."
            )
        yield folder
    finally:
        os.close(handle)
