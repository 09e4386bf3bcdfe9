"""Trainings that the studio starts: child processes of the very same command, one at a time, the rest in a queue.

They outlive the page and the studio. What waits lies in a file, so that a studio that is started again goes on.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import filelock

from limner import presets
from limner.core import files
from limner.core.config import Size, TrainConfig, from_dict
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.engine.distributed import Ranks
from limner.engine.machine import resolve
from limner.studio import OUTSIDE

FILE, LOG = "jobs.json", "training.log"
PROGRAM = (sys.executable, "-m", "limner")
TAIL = 2_000  # bytes of a log that are shown
PARAGRAPH = 300  # letters of what went wrong that are shown in a line
SAID = "limner: "  # before what the command line says of a mistake
INTERRUPTED = 130  # exit status of `limner train` after a Ctrl-C, with all saved
CHILDREN: dict[int, subprocess.Popen[bytes]] = {}  # of this process, which has to ask after them


@dataclasses.dataclass(frozen=True)
class Job:
    """A training that was asked for: its run, the words of the command, the process once it has begun."""

    run: str
    words: list[str]
    pid: int = 0
    born: str = ""
    """when that process began, by which another one of the same number is told from it"""
    failed: str = ""
    """why it ended, when it ended by itself and was not done"""


class Jobs:
    """Starts what was asked for, in order, as soon as nothing else trains."""

    def __init__(self, folder: Path, runs: Path) -> None:
        self.file, self.runs = folder / FILE, runs
        self._lock = threading.RLock()
        folder.mkdir(parents=True, exist_ok=True)

    def ask(self, run: str, words: list[str]) -> None:
        """Put a training at the end of the queue, and begin it if nothing trains; UserError if it is there already."""
        with self._lock:
            jobs = [job for job in self.tend() if job.run != run or not job.failed]
            if any(job.run == run for job in jobs):
                raise UserError(f"{run} is training, or waits for its turn")
            self._write([*jobs, Job(run, words)])
            self.tend()

    def tend(self) -> list[Job]:
        """Forget what has ended well, begin what is next, and list the rest: the one that trains first."""
        with self._lock:
            before = self._read()
            seen = (job if not job.pid or self._alive(job) else self._ended(job) for job in before)
            jobs = [job for job in seen if job is not None]
            waiting = [i for i, job in enumerate(jobs) if not job.pid and not job.failed]
            if waiting and not any(job.pid for job in jobs):
                jobs[waiting[0]] = self._begin(jobs[waiting[0]])
            if jobs != before:
                self._write(jobs)
            return jobs

    def stop(self, run: str) -> str:
        """Ask a training to save and end, or take it out of the queue; returns what was done."""
        with self._lock:
            for job in self.tend():
                if job.run == run and job.pid:
                    os.kill(job.pid, signal.SIGINT)  # on Windows it ends at once, and goes on from its checkpoint
                    return f"{run} saves and stops."
                if job.run == run:
                    self._write([other for other in self._read() if other.run != run])
                    return f"{run} is forgotten." if job.failed else f"{run} no longer waits."
        if self.busy(run):
            raise UserError(f"{run} was not started here: stop it where it runs, by Ctrl-C")
        raise UserError(f"{run} is not training")

    def knows(self, run: str) -> bool:
        """Whether a training of that name was asked for here, and has not ended well."""
        return any(job.run == run for job in self._read())

    def busy(self, run: str) -> bool:
        """Whether any process, started here or elsewhere, trains in that run folder."""
        lock = self.runs / run / files.LOCK
        if not lock.is_file():
            return False
        try:
            with filelock.FileLock(lock, timeout=0):
                return False
        except filelock.Timeout:
            return True

    def last_words(self, run: str) -> str:
        """The end of what the last training that was started here said."""
        log = self.file.parent / "logs" / f"{_flat(run)}.{LOG}"
        if not log.is_file():
            return ""
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            return file.read().decode(errors="replace").strip()

    def _begin(self, job: Job) -> Job:
        log = self.file.parent / "logs" / f"{_flat(job.run)}.{LOG}"
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as file:
            child = subprocess.Popen(
                [*PROGRAM, *job.words],
                env=OUTSIDE,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=os.name == "posix",  # so that Ctrl-C in the studio's terminal does not reach it
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        CHILDREN[child.pid] = child
        return dataclasses.replace(job, pid=child.pid, born=_born(child.pid))

    def _ended(self, job: Job) -> Job | None:
        # a process that another studio began tells nobody how it ended: its run folder shows how far it came
        child = CHILDREN.pop(job.pid, None)
        status = child.returncode if child else 0
        if status in (0, INTERRUPTED):
            return None
        said = " ".join(self.last_words(job.run).rpartition(SAID)[2].split())
        why = said[-PARAGRAPH:] or f"it ended with status {status}"
        if status < 0:
            why = f"it was ended from outside (signal {-status}), perhaps for want of memory; what was saved is there"
        return dataclasses.replace(job, pid=0, born="", failed=why)

    def _alive(self, job: Job) -> bool:
        if job.pid in CHILDREN:
            return CHILDREN[job.pid].poll() is None
        return bool(job.born) and _born(job.pid) == job.born

    def _read(self) -> list[Job]:
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
            return [Job(**job) for job in content]
        except (OSError, ValueError, TypeError):  # none yet, or damaged: what trains goes on all the same
            return []

    def _write(self, jobs: list[Job]) -> None:
        files.write_text(self.file, json.dumps([dataclasses.asdict(job) for job in jobs], indent=1) + "\n")


def command(config: TrainConfig, out: Path) -> list[str]:
    """The words after `limner` that train by a config: those that its preset does not say by itself."""
    full = presets.get(config.preset)
    words = ["train", config.preset, "--data", config.data, "--out", str(out)]
    for one, other in ((config, full), (config.settings, full.settings), (config.engine, full.engine)):
        for field in dataclasses.fields(one):
            value = getattr(one, field.name)
            if field.name in ("preset", "method", "settings", "engine", "data") or value == getattr(other, field.name):
                continue
            words += _flag(field.name, value)
    return words


def continuing(run: Run) -> tuple[list[str], str]:
    """The words that go on with a run, and what is to be said of them; UserError when its config.json is damaged."""
    content = run.read_config()["config"]
    settings = presets.get(content["preset"]).settings
    config = from_dict(TrainConfig, content, settings=type(settings))
    try:
        resolve(config.engine, Ranks(), config.batch)
    except UserError:  # a run may go on on other hardware
        engine = dataclasses.replace(config.engine, device="auto")
        note = f"It was begun with --device {config.engine.device}, which is not here: it goes on with what is."
        return command(dataclasses.replace(config, engine=engine), run.folder), note
    return command(config, run.folder), ""


def _flag(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    if isinstance(value, Size):
        return [f"--{flag}", str(value)]
    values = value if isinstance(value, tuple | list) else (value,)
    return [f"--{flag}", *map(str, values)]


def _flat(run: str) -> str:
    return run.replace("/", "__")


def _born(pid: int) -> str:
    # the kernel's word where there is one, else that of `ps`; empty for a process that has ended
    if pid <= 0:
        return ""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()
