"""Who may reach the server, by which names, and what is refused before anything is started."""

import socket
from pathlib import Path

import pytest
from mlflow.server.security_utils import is_allowed_host_header, should_block_cors_request

from tandem.errors import ConfigurationError, MachineError
from tandem.server.folder import Folder, opened
from tandem.server.frontend import _callers, _inherited, address, is_local, refuse_taken
from tandem.server.frontend import refuse_unready as refuse
from tandem.settings import ServerKeys

EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens there


def keys(host: str = "127.0.0.1", port: int = 5000, *names: str, auth: bool = True) -> ServerKeys:
    return ServerKeys(host, port, names, auth, ".server", 2)


def test_what_is_loopback() -> None:
    assert [*map(is_local, ("127.0.0.1", "127.0.0.2", "::1", "localhost"))] == [True] * 4
    assert [*map(is_local, (EVERYWHERE, "::", "10.0.0.1"))] == [False] * 3


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "10.0.0.1"])
def test_without_passwords_it_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"server.host: {host}: .* -> server.auth=true"):
        refuse(keys(host, auth=False))
    refuse(keys(host))
    refuse(keys(auth=False))


def test_a_port_that_is_taken_and_an_address_elsewhere_are_refused() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(MachineError, match="in use -> another one"):
            refuse_taken(keys("127.0.0.1", other.getsockname()[1]))
        refuse_taken(keys("127.0.0.2", other.getsockname()[1]))
    with pytest.raises(ConfigurationError, match=r"server.host: 192.0.2.1: "):
        refuse_taken(keys("192.0.2.1"))
    with pytest.raises(ConfigurationError, match=r"server.host: nowhere.invalid: "):
        is_local("nowhere.invalid")


@pytest.mark.parametrize(
    ("chosen", "good"),
    [
        (keys(), "127.0.0.1:5000"),
        (keys(EVERYWHERE, 5000, "ml.example.org"), "ml.example.org:5000"),
        (keys("::", 81, "fd00::7"), "[fd00::7]:81"),
        (keys(EVERYWHERE), f"{socket.gethostname()}:5000"),
    ],
)
def test_it_answers_to_its_names_and_to_its_own_page_only(chosen: ServerKeys, good: str) -> None:
    given = _callers(chosen)
    hosts = given["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert address(chosen) == f"http://{good}"
    for host in (good, "127.0.0.1:5000", "[::1]:9", "localhost:5000"):
        assert is_allowed_host_header(hosts, host), host
    for host in ("evil.example", "evil.example:5000", "10.1.2.3:5000", "localhost.evil.example:1"):
        assert not is_allowed_host_header(hosts, host), host
    pages = given["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
    assert not should_block_cors_request(f"http://{good}", "POST", pages)
    assert should_block_cors_request("http://evil.example", "POST", pages)


def test_the_login_of_a_client_is_not_for_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "canaryPassword")
    monkeypatch.setenv("PGPASSWORD", "canaryPassword")
    assert "canaryPassword" not in _inherited().values()
    assert "PATH" in _inherited()


def test_a_folder_is_of_one_server_and_its_password_of_its_owner(tmp_path: Path) -> None:
    with opened(str(tmp_path / "a")) as folder:
        first = folder.password()
        assert len(first) >= 32
        assert folder.password() == first
        assert folder.password_file.stat().st_mode & 0o777 == 0o600
        with pytest.raises(MachineError, match="a server runs on it"), opened(str(folder.path)):
            pass
    with opened(str(tmp_path / "a")) as again, opened(str(tmp_path / "b")) as other:
        assert again == Folder(folder.path)
        assert again.password() == first != other.password()


@pytest.mark.parametrize("name", ["x" * 90, "a,b"])
def test_a_folder_that_can_hold_no_socket_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="-> a shorter path"), opened(str(tmp_path / name)):
        pass
