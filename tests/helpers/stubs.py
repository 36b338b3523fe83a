"""Servers on the loopback interface that answer as a test tells them, and what they were asked."""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.helpers.servers import answering


class Request(NamedTuple):
    """What a server was asked, with the names of the headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass
class Stub:
    """A server: its address, and the requests so far."""

    address: str = ""
    requests: list[Request] = field(default_factory=list)


Answer = Callable[[BaseHTTPRequestHandler], None]


def fixed(status: int, body: Any = "", headers: Mapping[str, str] | None = None) -> Answer:
    """The same answer to every request; a body that is no text is sent as JSON."""
    content = (body if isinstance(body, str) else json.dumps(body)).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def endless(start: bytes, more: bytes, pause: threading.Event, seconds: float = 0.0) -> Answer:
    """An answer that begins with some bytes, goes on with others, and ends when the client has gone or the event is set."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):
            handler.wfile.write(start)
            while not pause.wait(seconds):
                handler.wfile.write(more)
        handler.close_connection = True

    return answer


@contextlib.contextmanager
def stub(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Stub]:
    """A server that gives this answer to every request."""
    found = Stub()

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            with contextlib.suppress(OSError):  # the client has gone
                super().handle_one_request()

        def do_GET(self) -> None:
            found.requests.append(
                Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
            )
            answer(self)

        do_CONNECT = do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            pass  # a client that does not trust the certificate goes away

        def finish_request(self, request: Any, client_address: Any) -> None:
            if tls is None:
                super().finish_request(request, client_address)
            else:
                with tls.wrap_socket(request, server_side=True) as secure:
                    super().finish_request(secure, client_address)

    with answering(Server(("127.0.0.1", 0), Handler)) as port:
        found.address = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        yield found
