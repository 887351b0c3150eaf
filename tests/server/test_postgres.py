"""A PostgreSQL in a folder: made whole or not at all, begun again after any end, of nobody else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from tandem.errors import MachineError
from tandem.server import postgres
from tandem.server.folder import Folder, opened
from tandem.server.postgres import RUNS, USERS, database, uri
from tests.served import needs_postgres, open_folder
from tests.shell import lives, until

pytestmark = needs_postgres

RIGHTS = (
    "select rolsuper or rolcreatedb or rolcreaterole from pg_roles where rolname = current_user"
)
SETTINGS = (
    "select name, setting from pg_settings where name in ('listen_addresses', 'data_checksums')"
)


@pytest.fixture
def folder() -> Iterator[Folder]:
    """A new one, with characters that addresses and PostgreSQL's settings have uses for."""
    with open_folder() as place, opened(str(place / "a b%'")) as found:
        yield found


def asked(folder: Folder, name: str, question: str) -> list[tuple[object, ...]]:
    with psycopg.connect(uri(folder, name).replace("+psycopg", "")) as link:
        return link.execute(question.encode()).fetchall()


@pytest.mark.slow
def test_it_keeps_what_it_holds_and_lets_in_its_owner_alone(folder: Folder) -> None:
    half = folder.postgres / "new"  # of one that was killed while it was made
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("15")
    with database(folder) as first:
        with psycopg.connect(uri(folder, USERS).replace("+psycopg", "")) as link:
            link.execute("create table t as select 7 as n")
        (may,) = asked(folder, RUNS, RIGHTS)
        assert may == (False,)
        kept = asked(folder, RUNS, SETTINGS)
        assert dict(kept) == {"listen_addresses": "", "data_checksums": "on"}
        with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
            psycopg.connect(host=str(folder.postgres), user="postgres", dbname="postgres")
        whole = [first.process.pid, *(p.pid for p in psutil.Process(first.process.pid).children())]
        os.kill(whole[0], signal.SIGKILL)
        until(lambda: not any(map(psutil.pid_exists, whole[1:])), 20)
        with pytest.raises(MachineError, match="PostgreSQL has ended"):
            first.check()
    with database(folder) as second:  # its file names a process that is gone
        assert asked(folder, USERS, "select n from t") == [(7,)]
    assert second.process.poll() == 0
    assert "database system is shut down" in folder.log("postgres").read_text()


@pytest.mark.slow
def test_what_is_left_of_a_server_is_ended_and_a_number_of_another_process_is_no_hindrance(
    folder: Folder,
) -> None:
    with database(folder):
        pass
    file = folder.postgres / "data" / "postmaster.pid"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        file.write_text(f"{other.pid}\n{folder.postgres / 'data'}\n")
        with database(folder):
            assert asked(folder, RUNS, "select 1") == [(1,)]
            left = psutil.Process(int(file.read_text().split("\n")[0]))
            postgres._end_left(folder.postgres / "data")
            assert not lives(left)
        assert other.poll() is None
        other.communicate(b"\n")


def test_data_of_a_version_that_is_not_there_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("9\n")
    with pytest.raises(MachineError, match=r"PostgreSQL 9, .* -> apt-get install postgresql-9"):
        postgres._programs(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is another user than PostgreSQL's")
def test_a_folder_that_its_user_cannot_pass_to_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    refused = pytest.raises(MachineError, match=r"who cannot pass -> server.folder=")
    with refused, opened(str(tmp_path / "a")) as folder, database(folder):
        pass
