"""The server of the page: for this machine alone, and for who knows the token."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import secrets
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfxai3d.errors import UserError, missing_extra, reason_of
from tfxai3d.explorer import page
from tfxai3d.explorer.exhibits import NO_QUESTION, Question
from tfxai3d.explorer.workbench import Workbench
from tfxai3d.storage.writing import file_name

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

HOST = "127.0.0.1"
MAX_UPLOAD = 256 << 20
"""The largest file that can be dropped into the page, in bytes."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_Answer = Callable[["Request"], Awaitable[Any]]


def listen(port: int) -> socket.socket:
    """Returns a socket of this machine's own that waits for the browser.

    Args:
        port: Its number; 0 for any that is free.

    Raises:
        UserError: If it is taken.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise UserError(f"port={port}: cannot be had ({reason_of(error)}); give another, or 0") from error


def application(
    workbench: Workbench, token: str, folder: Path, start: page.Start, most: int = MAX_UPLOAD
) -> Starlette:
    """Returns the program that answers requests.

    Explanations are made one after another, and so are the answers to the slider, but these do not wait for
    those.

    Args:
        workbench: What does the work.
        token: What every address must hold.
        folder: Where uploaded files are kept.
        start: What the page shows first.
        most: The largest upload, in bytes.

    Raises:
        UserError: If the extra is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware
        from starlette.responses import HTMLResponse
        from starlette.routing import Route
    except ImportError as error:
        raise missing_extra("starlette", "explore") from error
    slow, quick, written = asyncio.Lock(), asyncio.Lock(), page.content(start, token, most)

    async def first(request: Request) -> Response:
        return HTMLResponse(written, headers=_HEADERS)

    async def about(request: Request) -> Any:
        return await _alone(slow, request, workbench.about, request.query_params.get("network", ""))

    async def show(request: Request) -> Any:
        asked = await _asked(request)
        what = (workbench, Question.read(asked), asked["methods"], asked["first"], asked["slices"])
        return await _alone(slow, request, page.shown, *what)

    async def step(request: Request) -> Any:
        asked = await _asked(request)
        what = (Question.read(asked), asked["methods"], asked["first"], asked["removed"])
        return await _alone(quick, request, workbench.remaining, *what)

    async def upload(request: Request) -> Any:
        name = Path(file_name(request.query_params.get("name", "")))
        key = secrets.token_hex(8)
        path = folder / key / name
        path.parent.mkdir()
        try:
            await _written(request, path, most)
        except BaseException:  # a part of a file is no file
            path.unlink(missing_ok=True)
            raise
        workbench.keep(key, path)
        return {"file": key, "name": name.name}

    posts: dict[str, _Answer] = {"show": show, "step": step, "upload": upload}
    routes = [Route(f"/{name}", _answered(answer), methods=["POST"]) for name, answer in posts.items()]
    # A name that leads here from elsewhere, bent to this machine, is not its name.
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]), Middleware(_Guard, token)]
    return Starlette(
        routes=[Route("/", first), Route("/about", _answered(about)), *routes], middleware=guards
    )


def serve(waiting: socket.socket, application: Starlette) -> None:
    """Answers requests until Ctrl-C."""
    import uvicorn

    config = uvicorn.Config(application, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    with contextlib.suppress(KeyboardInterrupt):  # the server has ended what it was at
        uvicorn.Server(config).run(sockets=[waiting])


class _Guard:
    """Lets requests pass whose address holds the token."""

    def __init__(self, inner: Any, token: str):
        self._inner, self._token = inner, token.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.requests import HTTPConnection
        from starlette.responses import PlainTextResponse

        given = HTTPConnection(scope).query_params.get("token", "").encode()
        inner = self._inner
        if not secrets.compare_digest(given, self._token):
            text = "This address lacks its token: open the one that the program printed."
            inner = PlainTextResponse(text, 403, _HEADERS)
        await inner(scope, receive, send)


def _answered(answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
    """Returns the endpoint that sends an answer, and of whatever goes wrong one sentence."""
    from starlette.responses import JSONResponse

    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await answer(request), headers=_HEADERS)
        except UserError as error:
            said, status = str(error), 400
        except asyncio.CancelledError:
            said, status = "the program that serves this page has ended", 503
        except Exception as error:  # a fault of a model, or of this program
            logging.warning(f"{request.url.path}: {type(error).__name__}: {reason_of(error)}")
            said, status = f"this did not work ({type(error).__name__}: {reason_of(error)})", 500
        return JSONResponse({"error": said}, status, headers=_HEADERS)

    return endpoint


async def _asked(request: Request) -> dict[str, Any]:
    """Returns what the page asks; the rest of it is for `Question.read`.

    Raises:
        UserError: If it is nothing of the kind.
    """
    try:
        asked = {"methods": [], "first": "most", "slices": None, "removed": 0} | await request.json()
        fits = all(isinstance(method, str) for method in asked["methods"]) and type(asked["removed"]) is int
    except (ValueError, TypeError, RecursionError):
        fits = False
    if not fits:
        raise UserError(NO_QUESTION)
    return asked


async def _written(request: Request, path: Path, most: int) -> None:
    """Writes what is uploaded to a file; a UserError if it has too many bytes."""
    left = most
    with path.open("wb") as file:
        async for part in request.stream():
            left -= len(part)
            if left < 0:
                raise UserError(
                    f"{path.name}: has more than the {most:,} bytes that the page takes; make it smaller"
                )
            file.write(part)


async def _alone(lock: asyncio.Lock, request: Request, work: Callable[..., Any], *arguments: Any) -> Any:
    """Returns what a function returns, called in a thread when it is its turn."""
    async with lock:
        if await request.is_disconnected():  # the page asks for something else by now
            raise UserError("nobody waits for this any more")
        return await asyncio.wrap_future(_started(work, *arguments))


def _started(work: Callable[..., Any], *arguments: Any) -> concurrent.futures.Future[Any]:
    """Calls a function in a thread that does not keep the program from ending."""
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
