"""`limner studio`: a page in the browser that translates, generates, shows runs and starts them."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import socket
import time
import webbrowser
from pathlib import Path

from limner.core.console import say
from limner.core.errors import UserError

LOCAL = ("127.0.0.1", "localhost", "::1")
PORTS = 20  # that are tried, one after the other


@dataclasses.dataclass(frozen=True)
class Studio:
    """Open a page in the browser: drop a picture and see it translated, generate, watch runs, start one."""

    runs: Path = Path("runs")
    """the folder of run folders; made if need be"""
    data: Path = Path("data")
    """a folder whose sub-folders and files may be chosen to train on, beside built-in and fetched sets"""
    host: str = "127.0.0.1"
    """the address to listen at; any other than this machine's own needs --password"""
    port: int = 7860
    """the first port to try"""
    password: str | None = None
    """what people must type to come in, as user limner; also read from LIMNER_STUDIO_PASSWORD"""
    api_only: bool = False
    """serve the endpoints without the page, and open no browser"""
    browser: bool = True
    """open the page in this machine's browser"""


def studio(command: Studio) -> None:
    """Serve until interrupted; UserError for what a person can mend."""
    password = command.password or os.environ.get("LIMNER_STUDIO_PASSWORD")
    if command.host not in LOCAL and not password:
        raise UserError(
            f"--host {command.host} lets other machines in, who may then use your models and start trainings: give a "
            "--password"
        )
    if password is not None and len(password) < 8:
        raise UserError("--password: expected at least 8 characters")
    if importlib.util.find_spec("gradio") is None:
        raise UserError("the studio needs Gradio: pip install 'limner[studio]'")
    if command.runs.exists() and not command.runs.is_dir():
        raise UserError(f"--runs {command.runs} is a file; expected a folder")
    address, port = _open(command, password)
    if port != command.port:
        say(f"Port {command.port} is in use; this is the next free one.")
    say(f"The studio is open at {address} for the runs in {command.runs}; Ctrl-C closes it.")
    say("Trainings that it has started go on without it.")
    if command.browser and not command.api_only:
        webbrowser.open(address)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say("The studio is closed.")


def _open(command: Studio, password: str | None) -> tuple[str, int]:
    port = _free(command.host, command.port)
    from limner.core.environment import first_torch_call

    first_torch_call()
    from limner.studio.app import open_doors
    from limner.studio.house import House

    while True:
        try:
            house = House(command.runs, command.data)
            address, _ = open_doors(house, command.host, port, password, command.api_only)
            return address, port
        except OSError:  # it was free a moment ago
            taken, port = port, _free(command.host, port)
            if port == taken:
                raise


def _free(host: str, first: int) -> int:
    for port in range(first, first + PORTS):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if isinstance(error, socket.gaierror) or error.errno in (49, 99):
                    raise UserError(f"--host {host}: this machine has no such address") from error
                continue
            return port
    raise UserError(f"the ports {first} to {first + PORTS - 1} are all in use: give another --port")
