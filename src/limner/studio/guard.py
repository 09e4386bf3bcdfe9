"""What stands before every request: whose it is, how many came, how large it is."""

from __future__ import annotations

import time
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from limner.studio.uploads import BYTES

BODY = BYTES + 1_000_000  # bytes of one request
RATE, BURST = 80.0, 1_200.0  # requests a second that an address may keep up, and how many at once
ADDRESSES = 10_000  # that are remembered
ENDPOINTS = ("/gradio_api", "/config", "/login", "/logout", "/app_id", "/startup-events")


class Guard:
    """Refuses what is too much: 413 for bodies beyond the limit, 429 for too many requests, 403 for a foreign name.

    `names` are the host names under which the studio may be asked for, where it is for this machine alone: a page of
    another site that pretends to be it (DNS rebinding) is turned away. None: any.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str] | None, api_only: bool = False) -> None:
        """`api_only` shows nobody the page: what is no endpoint is 404."""
        self.app, self.names, self.api_only = app, names, api_only
        self.buckets: dict[str, tuple[float, float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self.app(scope, _counted(receive), send)

    def _refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        if not self._may(scope["client"][0] if scope.get("client") else ""):
            return PlainTextResponse("too many requests: wait a moment", 429, {"Retry-After": "5"})
        if self.names is not None and _host(headers.get("host", "")) not in self.names:
            return PlainTextResponse("the studio is for this machine alone", 403)
        if self.api_only and not scope["path"].startswith(ENDPOINTS):
            return PlainTextResponse("this studio serves its endpoints alone: see /gradio_api/info", 404)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > BODY:
            return PlainTextResponse(f"more than {BODY / 1e6:.0f} MB are not taken", 413)
        return None

    def _may(self, address: str) -> bool:
        now = time.monotonic()
        tokens, before = self.buckets.get(address, (BURST, now))
        tokens = min(BURST, tokens + (now - before) * RATE)
        if len(self.buckets) > ADDRESSES:
            self.buckets.clear()
        self.buckets[address] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1


def _host(header: str) -> str:
    return header.rpartition(":")[0] if header.rpartition(":")[2].isdecimal() else header


def _counted(receive: Receive) -> Receive:
    # a body without a stated length is cut off where it grows too large
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message: Any = await receive()
        seen += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        return {"type": "http.disconnect"} if seen > BODY else message

    return counted
