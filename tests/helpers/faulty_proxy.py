"""A proxy before an MLflow server that makes single calls fail, in each of the ways in which a network does.

    with FaultyProxy("http://127.0.0.1:5000") as proxy:
        proxy.fail("create", FAULTS["lost"])              # the next creation of a run
        proxy.fail("log_batch", FAULTS["503"], calls=3)   # the next three batches
        client = MlflowClient(proxy.address)
        ...
        proxy.settle()                                    # what is held, or still under way, reaches the server
        assert proxy.seen("create") == 2

`KINDS` names the calls; any other one is of the kind `other`. A fault says when a request reaches the server, if it does,
and what its client sees; `FAULTS` has a fault of each kind. Every connection has a thread. The server may go and come back at
its address: while it is away, the proxy resets its connections.
"""

import contextlib
import http.client
import re
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple
from urllib.parse import urlsplit

KINDS = {
    "create": r"POST .*/runs/create",
    "search": r"POST .*/runs/search",
    "get": r"GET .*/runs/get",
    "delete": r"POST .*/runs/delete",
    "log_batch": r"POST .*/runs/log-batch",
    "log_inputs": r"POST .*/runs/log-inputs",
    "update": r"POST .*/runs/update",
    "upload": r"PUT .*/artifacts/.*",
    "search_models": r"POST .*/logged-models/search",
    "create_model": r"POST .*/logged-models",
    "finalize_model": r"PATCH .*/logged-models/[^/]+",
    "log_outputs": r"POST .*/runs/outputs",
    "get_experiment": r"GET .*/experiments/get-by-name",
    "create_experiment": r"POST .*/experiments/create",
    "search_experiments": r"POST .*/experiments/search",
    "set_experiment_tag": r"POST .*/experiments/set-experiment-tag",
    "delete_experiment_tag": r"POST .*/experiments/delete-experiment-tag",
}
HANG_SECONDS = 60  # longer than any client waits
NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "host", "accept-encoding"}


@dataclass(frozen=True)
class Fault:
    """What happens to a call.

    Args:
        delay: The seconds before the request is passed on to the server.
        held: Whether the request is passed on only when `settle` is called, as by a network that delivers it late.
        done: Whether it is passed on.
        answer: What the client sees: `real`, the answer of the server; `hang`, nothing, over a connection that stays open;
            `reset`, the end of the connection; or a status such as 503.
    """

    delay: float = 0.0
    held: bool = False
    done: bool = True
    answer: str | int = "real"


FAULTS = {
    "hang": Fault(done=False, answer="hang"),
    "reset_before": Fault(done=False, answer="reset"),
    "reset_after": Fault(answer="reset"),
    "lost": Fault(answer="hang"),
    "late": Fault(held=True, answer="hang"),
    "delay": Fault(delay=0.5),
    "401": Fault(done=False, answer=401),
    "429": Fault(done=False, answer=429),
    "500": Fault(done=False, answer=500),
    "503": Fault(done=False, answer=503),
    "500_after": Fault(answer=500),
    "503_after": Fault(answer=503),
}


class Call(NamedTuple):
    """A call that has arrived, and the fault that was done to it."""

    kind: str
    fault: Fault | None


class Answer(NamedTuple):
    """An HTTP response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class FaultyProxy:
    """A proxy on a free port of the loopback interface.

    Args:
        target: The address of the server.
    """

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.calls: list[Call] = []
        self.ending = threading.Event()
        self._faults: dict[str, deque[Fault]] = {}
        self._let_go = threading.Event()
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self

    @property
    def address(self) -> str:
        """The address that a client uses in place of the server's."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, kind: str, fault: Fault, calls: int = 1, after: int = 0) -> None:
        """Do a fault to calls of a kind.

        Args:
            kind: One of KINDS.
            fault: What is done.
            calls: The number of calls.
            after: The number of calls before them that go well.
        """
        assert kind in KINDS, kind
        self._let_go.clear()
        with self._lock:
            self._faults[kind] = deque([Fault()] * after + [fault] * calls)

    def heal(self) -> None:
        """Let every further call go well; faults that have begun go on."""
        with self._lock:
            self._faults.clear()

    def seen(self, kind: str) -> int:
        """The number of calls of a kind that have arrived."""
        return sum(call.kind == kind for call in self.calls)

    def settle(self, seconds: float = 30) -> None:
        """Pass on what is held, and wait until nothing is on its way to the server any more."""
        self._let_go.set()
        deadline = time.monotonic() + seconds
        while self._under_way.total():
            assert time.monotonic() < deadline, f"still under way: {self._under_way}"
            time.sleep(0.01)

    @contextlib.contextmanager
    def under_way(self, kind: str, fault: Fault) -> Iterator[bool]:
        """While a request is on its way to the server or back; yields whether it is passed on now."""
        with self._lock:
            self._under_way[kind] += 1
        try:
            self.ending.wait(fault.delay)
            if fault.held:
                self._let_go.wait()
            yield fault.done and not self.ending.is_set()
        finally:
            with self._lock:
                self._under_way[kind] -= 1

    def next_fault(self, kind: str) -> Fault:
        """Note a call, and return what is to be done to it."""
        with self._lock:
            waiting = self._faults.get(kind)
            fault = waiting.popleft() if waiting else None
            self.calls.append(Call(kind, fault))
        return fault or Fault()

    def __enter__(self) -> "FaultyProxy":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        self._let_go.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a thread may hang
    proxy: FaultyProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: the client has gone, or the server, and both is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece
    server: _Server

    def _serve(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = _kind(self.command, self.path)
        fault = proxy.next_fault(kind)
        answer = None
        with proxy.under_way(kind, fault) as is_passed_on:
            if is_passed_on:
                answer = self._answer(body)
        if fault.answer == "hang":
            proxy.ending.wait(HANG_SECONDS)
        if isinstance(fault.answer, int):
            answer = Answer(fault.answer, [("Content-Type", "text/plain")], b"this is a fault")
        if answer and (fault.answer == "real" or isinstance(fault.answer, int)):
            self._send(answer)
        else:
            self._reset()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _answer(self, body: bytes) -> Answer | None:
        """The answer of the server; None where it is away."""
        target = self.server.proxy.target
        headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=HANG_SECONDS)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        return None

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def _reset(self) -> None:
        """End the connection with a reset, as a crashed host does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _kind(method: str, path: str) -> str:
    """The kind of a call, one of KINDS or `other`."""
    call = f"{method} {urlsplit(path).path}"
    return next((kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, call)), "other")
