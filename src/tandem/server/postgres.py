"""A PostgreSQL of our own: no service, no port, no password; a socket that its owner may use.

Who connects is known by the system (`peer`): nothing is there to be stolen or printed.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from pwd import getpwnam, getpwuid, struct_passwd
from shutil import chown, rmtree, which
from urllib.parse import quote

from tandem.errors import MachineError
from tandem.server.folder import Folder
from tandem.server.programs import Program, done, running

ROLE = "mlflow"  # who MLflow is there: the owner of two databases, and no more
RUNS, USERS = "mlflow", "mlflow_auth"
# Who may do all there; and the user of Debian's package, for root: PostgreSQL refuses root.
_SYSTEM = "postgres"
_MADE = f"CREATE ROLE {ROLE} LOGIN;\n" + "".join(
    f"CREATE DATABASE {name} OWNER {ROLE};\n" for name in (RUNS, USERS)
)
_CONNECTIONS = 200  # MLflow's workers may hold up to 15 for each of its stores
_BEGIN_SECONDS = 60.0  # after a crash it reads its log first
# Fast: those who are connected are sent away; then without writing what the log has.
_ENDS = ((signal.SIGINT, 4.0), (signal.SIGQUIT, 1.0))


def uri(folder: Folder, name: str) -> str:
    """The address of a database, for SQLAlchemy."""
    return f"postgresql+psycopg://{ROLE}@/{name}?host={quote(str(folder.postgres))}"


@contextmanager
def database(folder: Folder) -> Iterator[Program]:
    """PostgreSQL on the data of `folder`, made where there are none, around the block.

    Raises MachineError where there is no PostgreSQL of their version, or it does not begin.
    """
    data, owner = folder.postgres / "data", _owner()
    programs = _programs(data)
    folder.postgres.mkdir(mode=0o700, exist_ok=True)
    _check_way(folder.postgres, owner)
    _give(folder.postgres, owner)
    if not data.exists():
        _make(programs, data, owner)
    _let_in(data, owner)
    _end_left(data)
    words = [str(programs / "postgres"), "-D", str(data)]
    for key, value in (
        ("listen_addresses", ""),
        ("unix_socket_directories", f'"{folder.postgres}"'),
        ("unix_socket_permissions", "0700"),
        ("max_connections", str(_CONNECTIONS)),
    ):
        words += ["-c", f"{key}={value}"]
    with running("PostgreSQL", words, folder.log("postgres"), _ENDS, user=owner) as program:
        program.wait(partial(_answers, programs, folder), _BEGIN_SECONDS, "does not begin")
        yield program


def _owner() -> struct_passwd | None:
    """Who it runs as, where that is another user than this process's."""
    if os.geteuid() != 0:
        return None
    try:
        return getpwnam(_SYSTEM)
    except KeyError as error:
        raise MachineError(
            f"server: PostgreSQL does not run as root, and there is no user {_SYSTEM} -> "
            "apt-get install postgresql, or another user"
        ) from error


def _programs(data: Path) -> Path:
    """The folder of PostgreSQL's programs: the newest, or those that have made `data`."""
    made = data / "PG_VERSION"
    wanted = made.read_text(encoding="utf-8").strip() if made.exists() else ""
    found = {int(path.name): path / "bin" for path in Path("/usr/lib/postgresql").glob("[0-9]*")}
    if here := which("postgres"):
        said = subprocess.run([here, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - of the PATH
        found |= {int(n): Path(here).resolve().parent for n in re.findall(r" (\d+)", said.stdout)}
    found = {number: path for number, path in found.items() if (path / "initdb").exists()}
    number = int(wanted) if wanted else max(found, default=0)
    if number not in found:
        of = f"{data} is of PostgreSQL {wanted}, which is" if wanted else "PostgreSQL is"
        raise MachineError(
            f"server: {of} not in the PATH nor in /usr/lib/postgresql -> "
            f"apt-get install postgresql{f'-{wanted}' if wanted else ''}"
        )
    return found[number]


def _check_way(path: Path, owner: struct_passwd | None) -> None:
    for above in path.parents if owner else ():
        if not above.stat().st_mode & 0o001:
            raise MachineError(
                f"server.folder: {above}: PostgreSQL runs as the user {_SYSTEM}, who cannot pass "
                "-> server.folder=/srv/mlflow, or another user than root"
            )


def _give(path: Path, owner: struct_passwd | None) -> None:
    if owner:
        chown(path, owner.pw_uid, owner.pw_gid)


def _make(programs: Path, data: Path, owner: struct_passwd | None) -> None:
    """Make a cluster with MLflow's databases beside `data`, and rename it: whole or none."""
    new = data.with_name("new")
    rmtree(new, ignore_errors=True)
    # Text is sorted by code points, whatever the system has: its next version may sort otherwise.
    how = ("--encoding=UTF8", "--locale=C", "--data-checksums")
    who = ("--auth-local=peer", "--auth-host=reject", "--no-instructions", f"--username={_SYSTEM}")
    done([str(programs / "initdb"), "-D", str(new), *how, *who], owner)
    one = ("--single", "-D", str(new), "-c", "exit_on_error=true", "postgres")
    done([str(programs / "postgres"), *one], owner, _MADE)
    new.rename(data)


def _let_in(data: Path, owner: struct_passwd | None) -> None:
    """The user of this process is MLflow's role, the owner of the data the one that may do all."""
    me = getpwuid(os.geteuid()).pw_name
    users = ((me, ROLE), (owner.pw_name if owner else me, _SYSTEM))
    texts = {
        "pg_hba.conf": "local all all peer map=tandem\n",
        "pg_ident.conf": "".join(f'tandem "{user}" {role}\n' for user, role in users),
    }
    for name, text in texts.items():
        (data / name).write_text(text, encoding="utf-8")
        _give(data / name, owner)


def _end_left(data: Path) -> None:
    """End what a server that went away without a word has left, as the lock says that one has.

    PostgreSQL's own file names its process; it takes another one of that number for it.
    """
    import psutil  # noqa: PLC0415 - slow

    file = data / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, psutil.Error):
        process = psutil.Process(int(file.read_text(encoding="utf-8").split("\n")[0]))
        if Path(process.cwd()) == data:
            process.send_signal(signal.SIGQUIT)
            process.wait(_ENDS[0][1])
        else:
            file.unlink()


def _answers(programs: Path, folder: Folder) -> bool:
    where = ("-h", str(folder.postgres), "-U", ROLE, "-d", RUNS)
    ready = [str(programs / "pg_isready"), "-q", *where]
    return subprocess.run(ready, cwd="/", check=False).returncode == 0  # noqa: S603 - our own words
