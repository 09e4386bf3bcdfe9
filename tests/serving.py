"""A server of this machine's own that behaves as servers on the net do: well, or in one of many bad ways."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import threading
import time
from collections.abc import Iterator


@dataclasses.dataclass
class Served:
    """What the server has, how it answers one request after the other (the last way from then on), what was asked.

    The ways: "well"; "cut" (half of what it promised); "drip" (slowly, for ever); "stall" (half, then silence); "plain"
    (it knows of no ranges); "long" and "short" (it promises more or less than it has); "page" (a web page instead);
    "elsewhere" (another range than it was asked for); "busy" (503); "absent" (404).
    """

    content: dict[str, bytes]
    ways: list[str] = dataclasses.field(default_factory=lambda: ["well"])
    tag: str = '"1"'
    modified: str = ""
    asked: list[str] = dataclasses.field(default_factory=list)
    address: str = ""
    over: threading.Event = dataclasses.field(default_factory=threading.Event)

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"


@contextlib.contextmanager
def serving(content: dict[str, bytes]) -> Iterator[Served]:
    """Serve files by their names on a free port."""
    served = Served(content)

    class Handler(_Handler):
        pass

    Handler.served = served
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        served.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    served: Served

    def do_GET(self) -> None:
        served = self.served
        asked = self.headers.get("Range", "")
        served.asked.append(asked)
        way = served.ways.pop(0) if len(served.ways) > 1 else served.ways[0]
        content = served.content.get(self.path[1:])
        if content is None or way in ("absent", "busy"):
            self.send_error(503 if way == "busy" else 404)
            return
        if way == "page":
            content = b"<html>sign in first</html>"
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and way != "plain" else 0
        if start and self.headers.get("If-Range") not in (None, served.tag or served.modified):
            start = 0
        if start >= len(content):
            self.send_error(416)
            return
        body = content[start:]
        promised = len(body) + {"long": 1_000, "short": -1_000}.get(way, 0)
        self.send_response(206 if start else 200)
        if start:
            first = 0 if way == "elsewhere" else start
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Type", "text/html" if way == "page" else "application/octet-stream")
        self.send_header("Content-Length", str(promised))
        for name, value in (("ETag", served.tag), ("Last-Modified", served.modified)):
            if value:
                self.send_header(name, value)
        self.end_headers()
        self._send(way, body, promised)

    def _send(self, way: str, body: bytes, promised: int) -> None:
        if way == "drip":
            for i in range(0, len(body), 20_000):
                self.wfile.write(body[i : i + 20_000])
                self.wfile.flush()
                if self.served.over.wait(0.05):
                    return
        elif way in ("cut", "stall"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if way == "stall":
                self.served.over.wait(2.0)
        else:
            self.wfile.write(body[:promised])

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()


def wait_until(true: object, seconds: float = 20.0) -> None:
    """Wait until a function of no arguments says so; AssertionError when it does not come to that."""
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)
