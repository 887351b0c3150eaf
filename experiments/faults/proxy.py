"""An HTTP proxy on loopback before a real server, with faults that are told to it."""

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KINDS = ("refuses", "hangs", "answers 500", "loses replies", "resets")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: "Proxy"

    def handle_error(self, *_: object) -> None:
        """What goes wrong here is asked for."""


class Proxy:
    """Forwards requests to `port` of this machine, and misbehaves when it is told to.

    From request number `first` on it does what `kind` says, for `seconds`, None: until `heal`.
    """

    def __init__(self, port: int) -> None:
        self.target, self.requests = port, 0
        self._gate = threading.Lock()
        self._kind, self._first, self._seconds = "", 0, 0.0
        self._began: float | None = None
        self._server: _Server | None = None
        self._open(0)
        assert self._server
        self.port = self._server.server_address[1]

    def misbehave(self, kind: str, first: int, seconds: float | None) -> None:
        """The next fault; requests are counted from now on."""
        self.heal()
        self.requests, self._kind, self._first = 0, kind, first
        self._seconds = float("inf") if seconds is None else seconds

    def heal(self) -> None:
        """No fault from now on."""
        with self._gate:
            self._kind, self._began = "", None
            if self._server is None:
                self._open(self.port)

    def close(self) -> None:
        """End it."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def fault(self) -> str:
        """What happens to the request at hand; nothing where all is well."""
        with self._gate:
            number, self.requests = self.requests, self.requests + 1
            if not self._kind or number < self._first:
                return ""
            now = time.monotonic()
            if self._began is None:
                self._began = now
                if self._kind == "refuses":
                    threading.Thread(target=self._away, daemon=True).start()
            return self._kind if now - self._began < self._seconds else ""

    def over(self) -> bool:
        """Whether the fault that began has ended."""
        began = self._began
        return began is None or time.monotonic() - began > self._seconds

    def _open(self, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), _Request)
        self._server.proxy = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _away(self) -> None:
        """Nobody listens for a while."""
        with self._gate:
            server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()
        while not self.over():
            time.sleep(0.05)
        self.heal()


class _Request(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        proxy, self.close_connection = self.server.proxy, True
        match proxy.fault():
            case "refuses" | "resets":
                return
            case "hangs":
                while not proxy.over():
                    time.sleep(0.05)
                return
            case "answers 500":
                self.send_error(500)
                return
            case "loses replies":
                self._asked(proxy.target, body)
                return
        status, headers, content = self._asked(proxy.target, body)
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815 - of http.server

    def _asked(self, port: int, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        link.request(self.command, self.path, body, headers)
        answer = link.getresponse()
        content = answer.read()
        link.close()
        return answer.status, answer.getheaders(), content

    def log_message(self, *_: object) -> None:
        """Nothing is said."""
