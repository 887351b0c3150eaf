"""MLflow's server: to whom it answers, with which stores, and whether it does by now."""

import errno
import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from ipaddress import ip_address
from itertools import chain

from tandem.errors import ConfigurationError, MachineError
from tandem.machine import write_atomically
from tandem.server.folder import ADMIN, Folder
from tandem.server.postgres import RUNS, USERS, uri
from tandem.server.programs import Program, running
from tandem.settings import ServerKeys

_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_DRIVERS = {"psycopg": "psycopg", "flask_wtf": "Flask-WTF"}  # modules, and who ships them
_BEGIN_SECONDS = 120.0  # the first time MLflow makes 100 tables, on a machine that may be busy
_END_SECONDS = 2  # for requests at hand
_ENDS = ((signal.SIGTERM, _END_SECONDS + 1.0),)
# Whoever has a name may add to every experiment, as a team does, and remove its own. MLflow's
# default lets them only read those of others: all runs of ours are in one experiment. A password
# that was right is right for a minute: to check one takes 0.3 s of CPU, a run makes 50 requests.
_AUTH = """\
[mlflow]
default_permission = EDIT
database_uri = {}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


def is_local(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    return all(ip_address(one.split("%")[0]).is_loopback for one in _addresses(host))


def address(keys: ServerKeys) -> str:
    """Where others reach the server; this machine itself, where only that can."""
    return f"http://{_in_address(_names(keys)[0])}:{keys.port}"


def refuse_unready(keys: ServerKeys) -> None:
    """Raise ConfigurationError where a server of `keys` would be open to everybody.

    MachineError where its libraries are missing.
    """
    if not is_local(keys.host) and not keys.auth:
        raise ConfigurationError(
            f"server.host: {keys.host}: whoever reaches this machine could read, change and remove "
            "every run -> server.auth=true, or server.host=127.0.0.1"
        )
    if missing := [name for module, name in _DRIVERS.items() if find_spec(module) is None]:
        raise MachineError(f"server: {missing[0]} is not installed -> pip install 'tandem[server]'")


def refuse_taken(keys: ServerKeys) -> None:
    """Raise MachineError where the port is taken, ConfigurationError where the host is elsewhere.

    MLflow ends with status 0 then, or begins again and again.
    """
    kind = socket.AF_INET6 if ":" in keys.host else socket.AF_INET
    with socket.socket(kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((keys.host, keys.port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise _no_host(keys.host, error) from error
            step = "one from 1024 on" if error.errno == errno.EACCES else "another one"
            raise MachineError(
                f"server.port: {keys.port}: {error.strerror} -> {step}: server.port=5001"
            ) from error


@contextmanager
def front(keys: ServerKeys, folder: Folder) -> Iterator[Program]:
    """MLflow's server around the block, from when it answers.

    Raises MachineError where it does not begin.
    """
    words = [sys.executable, "-m", "mlflow", "server", "--host", keys.host]
    words += ["--port", str(keys.port), "--workers", str(keys.workers)]
    words += ["--uvicorn-opts", f"--no-access-log --timeout-graceful-shutdown {_END_SECONDS}"]
    words += ["--app-name", "basic-auth"] if keys.auth else []
    given = {**_inherited(), **_stores(folder), **_callers(keys)}
    given |= _users(folder) if keys.auth else {}
    with running("MLflow", words, folder.log("mlflow"), _ENDS, environment=given) as program:
        here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(keys.host, keys.host)  # noqa: S104 - not listened on
        health = f"http://{_in_address(here)}:{keys.port}/health"
        program.wait(partial(_answers, health), _BEGIN_SECONDS, "does not answer")
        yield program


def _inherited() -> Mapping[str, str]:
    """What this process was told, but for what it says of a client."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_TRACKING_", "PG"))}


def _stores(folder: Folder) -> Mapping[str, str]:
    """Where all is kept: clients hand artifacts to the server, and need no access to its disk."""
    return {
        "MLFLOW_BACKEND_STORE_URI": uri(folder, RUNS),
        "MLFLOW_ARTIFACTS_DESTINATION": str(folder.files),
        "MLFLOW_SERVE_ARTIFACTS": "true",
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # of language models; they would outlive it
        "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing is sent unasked
    }


def _callers(keys: ServerKeys) -> Mapping[str, str]:
    """The names that a request may come by, and the pages that may send one.

    Any other name may be one of a stranger's page, that has led a browser here. MLflow's own page
    is a stranger to it, where it is not said.
    """
    names = [_in_address(name) for name in _names(keys)]
    hosts = dict.fromkeys((*_LOCAL, *names))
    with_port = [f"{host.replace('[', '[[]')}:*" for host in hosts]  # as fnmatch reads it
    pages = [(f"http://{name}:{keys.port}", f"http://{name}", f"https://{name}") for name in names]
    return {
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join((*hosts, *with_port)),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(chain(*pages)),
    }


def _users(folder: Folder) -> Mapping[str, str]:
    told = folder.path / "basic_auth.ini"
    place = uri(folder, USERS).replace("%", "%%")  # in such a file % begins a reference
    write_atomically(told, _AUTH.format(place), 0o600)
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(told),
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
        "MLFLOW_AUTH_ADMIN_PASSWORD": folder.password(),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": os.urandom(32).hex(),  # of forms that are open
    }


def _names(keys: ServerKeys) -> tuple[str, ...]:
    """By which it is reached: as given; else its host, or this machine's own where that is all."""
    if keys.names:
        return keys.names
    everywhere = keys.host in {"0.0.0.0", "::"}  # noqa: S104 - looked at, not listened on
    return (socket.gethostname(),) if everywhere else (keys.host,)


def _in_address(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _addresses(host: str) -> list[str]:
    """The IP addresses that `host` stands for. Raises ConfigurationError where it is no name."""
    try:
        return [str(one[4][0]) for one in socket.getaddrinfo(host, None)]
    except OSError as error:
        raise _no_host(host, error) from error


def _no_host(host: str, error: OSError) -> ConfigurationError:
    step = "server.host=127.0.0.1, or an address of this machine"
    return ConfigurationError(f"server.host: {host}: {error.strerror} -> {step}")


def _answers(where: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError), direct.open(where, timeout=5) as answer:
        return bool(answer.status == 200)
    return False
