"""The studio as its visitors meet it: how soon it answers, what many of them at once do to it, and what it keeps."""

from __future__ import annotations

import collections
import http.client
import io
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import harness
from benchmarks.translate import SIZE, bare, write_model
from limner.core import images
from limner.inference import Pipeline, load

ROUNDS, OPENINGS = 31, 3
CLIENTS, SECONDS, REQUESTS = 50, 60.0, 1_000  # LIMNER_SHORT=1: a tenth of the last two, to see that it works
DIGITS = 16
AIMS = {"digits": 0.150, "picture": 1.3, "page": 3.0, "after": 1.0, "memory": 1.5, "flat": 1.1}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FULL = "queue is full"


class Visitor:
    """Speaks to a studio as the documentation's curl does, a connection for each request."""

    def __init__(self, address: str, session: str | None = None) -> None:
        self.place = urllib.parse.urlsplit(address)
        self.session = {"session_hash": session} if session else {}  # as an open page says; a program seldom does

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> tuple[int, str]:
        """One request: its status and all that came back."""
        line = http.client.HTTPConnection(self.place.hostname or "", self.place.port, timeout=600)
        try:
            line.request(method, path, body, {"Content-Type": kind} if body else {})
            answer = line.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            line.close()

    def send(self, picture: Path) -> dict[str, Any]:
        """Upload a picture; what an endpoint is to be given for it."""
        head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{picture.name}"\r\n\r\n'
        body = head.encode() + picture.read_bytes() + b"\r\n--x--\r\n"
        status, content = self.ask("POST", "/gradio_api/upload", body, "multipart/form-data; boundary=x")
        if status != 200:
            raise AssertionError(f"the upload was refused: {status} {content}")
        return {"path": json.loads(content)[0], "meta": {"_type": "gradio.FileData"}}

    def call(self, endpoint: str, *data: Any) -> str:
        """Call an endpoint and wait: "done", "queue is full", or what went wrong."""
        body = json.dumps({"data": data, **self.session}).encode()
        status, content = self.ask("POST", f"/gradio_api/call/{endpoint}", body)
        if status != 200:
            return FULL if FULL in content.lower() else f"{status} {content[:200]}"
        content = self.ask("GET", f"/gradio_api/call/{endpoint}/{json.loads(content)['event_id']}")[1]
        return "done" if "event: complete" in content else FULL if FULL in content.lower() else content[-200:]

    def timed(self, endpoint: str, *data: Any) -> float:
        """Seconds of a call, which must be answered."""
        begun = time.perf_counter()
        found = self.call(endpoint, *data)
        if found != "done":
            raise AssertionError(f"{endpoint}: {found}")
        return time.perf_counter() - begun


def start(runs: Path) -> tuple[subprocess.Popen[str], str, float]:
    """Start a studio; its process, its address, and the seconds until it said that it was open."""
    begun = time.perf_counter()
    words = [sys.executable, "-m", "limner", "studio", "--runs", str(runs), "--port", "17900", "--no-browser"]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"open at (http://\S+?)/? ", line)
        if found:
            return process, found[1], time.perf_counter() - begun
    raise AssertionError("the studio did not start")


def resident(process: subprocess.Popen[str]) -> float:
    """Megabytes of memory that the process holds now."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1e3


def openings(address: str) -> harness.Figures | None:
    """Seconds until a fresh browser shows the page and its button can be pressed; None without one."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if CHROMIUM is None:
        return None
    seconds = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(OPENINGS):
            context = browser.new_context()  # nothing is cached
            page = context.new_page()
            begun = time.perf_counter()
            page.goto(address)
            page.wait_for_selector("#translate")
            seconds.append(time.perf_counter() - begun)
            context.close()
        browser.close()
    return harness.Figures.of(seconds)


def crowd(
    address: str, process: subprocess.Popen[str], picture: Path, clients: int, seconds: float
) -> tuple[collections.Counter[str], float]:
    """Let clients translate for so long, each as soon as it was answered; their answers, and the most memory held."""
    answers: collections.Counter[str] = collections.Counter()
    lock, until, most = threading.Lock(), time.monotonic() + seconds, [resident(process)]

    def client() -> None:
        visitor = Visitor(address)
        given = visitor.send(picture)
        while time.monotonic() < until:
            found = visitor.call("translate", given, "net", "", False)
            with lock:
                answers[found] += 1
            if found == FULL:
                time.sleep(1.0)  # as a person would

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most.append(resident(process))
        time.sleep(0.2)
    return answers, max(most)


def latencies(address: str, weights: Path, picture: Path) -> tuple[harness.Figures, harness.Race, harness.Race]:
    """Digits over HTTP; a picture over HTTP and through a pipeline here, each raced against the bare network."""
    visitor = Visitor(address, session="page")
    given = visitor.send(picture)
    for _ in range(3):
        visitor.timed("generate", "digits", 0, DIGITS, None, 3.0)
    digits = [visitor.timed("generate", "digits", 16 * i, DIGITS, None, 3.0) for i in range(ROUNDS)]
    pipeline: Pipeline = load(weights)
    array = images.as_array(images.decode(picture))
    x = images.to_float(images_tensor(array))
    served = harness.race(
        lambda: bare(pipeline, x), lambda: visitor.timed("translate", given, "net", "", False), ROUNDS
    )
    here = harness.race(lambda: bare(pipeline, x), lambda: pipeline.translate([array]), ROUNDS)
    return harness.Figures.of(digits), served, here


def images_tensor(array: np.ndarray) -> Any:
    """A picture (H, W, 3) as a batch, uint8 (1, 3, H, W)."""
    import torch

    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None].contiguous()


def write_digits(path: Path) -> None:
    """A model file of `dcgan-digits` with the weights that training begins with."""
    from benchmarks.step import training
    from limner.core.contract import Spec
    from limner.inference import model

    spec = Spec(1, 28, 28)
    run = training("dcgan-digits", spec, 8)
    model.save(path, run.method, run.ema.nets, spec, run.config, 0)


def main() -> None:
    """Start a studio, visit it in every way, write the result."""
    if not sys.platform.startswith("linux"):
        sys.exit("this benchmark reads /proc and runs on Linux only")
    share = 0.1 if os.environ.get("LIMNER_SHORT") else 1.0
    seconds, requests = SECONDS * share, round(REQUESTS * share)
    with tempfile.TemporaryDirectory() as temporary:
        runs, picture = Path(temporary) / "runs", Path(temporary) / "picture.png"
        for name in ("net", "digits"):
            (runs / name).mkdir(parents=True)
        weights = write_model(runs / "net" / "model.safetensors")
        write_digits(runs / "digits" / "model.safetensors")
        noise = np.random.default_rng(0).integers(0, 256, (SIZE // 8, SIZE // 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(picture)
        process, address, started = start(runs)
        try:
            opened = openings(address)
            digits, served, here = latencies(address, weights, picture)
            _, alone = crowd(address, process, picture, 1, seconds / 4)
            answers, together = crowd(address, process, picture, CLIENTS, seconds)
            visitor = Visitor(address)
            after = visitor.timed("generate", "digits", 0, DIGITS, None, 3.0)
            held = [resident(process)]
            for number in range(requests):
                visitor.timed("generate", "digits", number, DIGITS, None, 3.0)
                if (number + 1) % max(1, requests // 10) == 0:
                    held.append(resident(process))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    other = sum(answers.values()) - answers["done"] - answers[FULL]
    early, late = statistics.median(held[1:4]), statistics.median(held[-3:])
    strange = io.StringIO()
    for words, count in answers.items():
        if words not in ("done", FULL):
            strange.write(f"\n\n{count} times: `{words}`")
    page = str(opened) if opened else "no browser here"
    harness.write(
        "studio",
        "The studio under its visitors",
        f"""
`limner studio` in a process of its own over two models with the weights that training begins with, `pix2pix` at {SIZE} px and
`dcgan-digits`; visitors speak HTTP from another process on the same machine. Times over HTTP hold all: the queue, the
network, PNG files written, the answer read; they are those of one session, as an open page has. Min / median / max.

| what | found | aim | |
| --- | --- | --- | --- |
| {DIGITS} digits over HTTP, ms | **{digits.scaled(1e3)}** | below {AIMS["digits"] * 1e3:.0f} | {kept(digits.middle < AIMS["digits"])} |
| a picture of {SIZE} px over HTTP, times the bare pass | **{served.ratio}** | at most {AIMS["picture"]} | \
{kept(served.ratio.middle <= AIMS["picture"])} |
| the same through `Pipeline.translate`, times the bare pass | {here.ratio} | | |
| the page in a fresh browser, s until its button can be pressed | **{page}** | at most {AIMS["page"]:g} | \
{kept(opened is not None and opened.middle <= AIMS["page"])} |
| {CLIENTS} clients for {seconds:.0f} s: translated, told that the queue is full, other answers | \
**{answers["done"]:,}, {answers[FULL]:,}, {other:,}** | no other | {kept(not other)} |
| memory then, MB (with one client: {alone:,.0f}) | **{together:,.0f}**, {together / alone:.2f} times | \
below {AIMS["memory"]} times | {kept(together < AIMS["memory"] * alone)} |
| the first answer afterwards, s | **{after:.2f}** | at most {AIMS["after"]:g} | {kept(after <= AIMS["after"])} |
| memory over {requests:,} requests one after another, MB, a tenth each | {", ".join(f"{one:,.0f}" for one in held[1:])} | \
flat: below {AIMS["flat"]} times | {kept(late < AIMS["flat"] * early)}, {late / early:.3f} times |

The bare pass took {served.ours.scaled(1e3)} ms beside the requests, which took {served.peer.scaled(1e3)} ms. From the command
to the open door {started:.1f} s, nearly all of it Python, PyTorch and Gradio being loaded.{strange.getvalue()}
""",
    )


def kept(aim: bool) -> str:
    """Whether an aim was reached, in a word."""
    return "kept" if aim else "**missed**"
