"""The command line: its flags are frozen, its mistakes cost one paragraph and exit code 2."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny
from limner.cli import COMMANDS, PREPARE, main
from limner.commands.train import train
from limner.core import files
from limner.core.runs import Run
from limner.engine.state import Checkpoints

SNAPSHOT = Path(__file__).parent / "snapshots" / "flags.txt"


def flags_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    return re.findall(r"^[│ ] {1,2}(--?\w.*?)(?:  |\s*│?$)", capsys.readouterr().out, re.MULTILINE)


def test_flags_are_those_of_the_snapshot(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed flag breaks somebody's script: change the snapshot knowingly, and say so in CHANGELOG.md.

    `LIMNER_GOLDEN=write pytest tests/test_cli.py` writes it anew.
    """
    monkeypatch.setenv("COLUMNS", "120")
    lines = []
    commands = [[name] for name in COMMANDS if name not in ("train", "prepare")]
    for words in [["train", "dcgan"], *commands, *(["prepare", kind] for kind in PREPARE)]:
        lines += [f"limner {' '.join(words)}", *(f"  {flag}" for flag in flags_of(words, capsys))]
    if os.environ.get("LIMNER_GOLDEN") == "write":
        SNAPSHOT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "\n".join(lines) + "\n" == SNAPSHOT.read_text(encoding="utf-8")


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail; return its one paragraph."""
    assert main(words) == 2
    errors = capsys.readouterr().err.strip()
    assert errors.count("\n") == 0 and "Traceback" not in errors
    return errors


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert main([]) == 2
    assert main(["prepare", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {kind} " in text for kind in PREPARE)
    assert main(["prepare"]) == 2


def test_unknown_names_get_the_nearest(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "unknown preset 'dcgann': did you mean 'dcgan'?" in refused(["train", "dcgann"], capsys)
    assert "did you mean 'dcgan-digits'?" in refused(["show", "dcgan-digit"], capsys)
    assert "unknown command 'trian': did you mean 'train'?" in refused(["trian"], capsys)
    words = ["train", "dcgan", "--data", "digit", "--out", str(tmp_path / "x")]
    assert "Did you mean 'digits'?" in refused(words, capsys)
    assert not (tmp_path / "x").exists()


def test_presets_and_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows} == set(tiny.PRESETS)
    assert all(row["what"] and row["paper"].startswith("arXiv") for row in rows)
    for row in rows:
        assert main(["show", row["name"]]) == 0
        assert json.loads(capsys.readouterr().out)["preset"] == row["name"]


def test_lengths_and_sizes_as_people_write_them(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["train", "dcgan", "--data", str(pictures), "--filters", "4", "--batch", "8", "--show", "quiet"]
    assert main([*common, "--out", str(tmp_path / "a"), "--images", "0.032k", "--size", "16x32"]) == 0
    config = Run(tmp_path / "a").read_config()
    assert config["resolved"]["total"] == 32
    assert (config["resolved"]["data"]["height"], config["resolved"]["data"]["width"]) == (16, 32)
    assert main([*common, "--out", str(tmp_path / "b"), "--epochs", "2", "--size", "16"]) == 0
    assert Run(tmp_path / "b").read_config()["resolved"]["total"] == 48
    both = [*common, "--out", str(tmp_path / "c"), "--epochs", "2", "--images", "5", "--size", "16"]
    assert "give one of them" in refused(both, capsys)


def test_json_lines(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = tiny.flags(tiny.command("dcgan", pictures, tmp_path / "run"))
    words[words.index("quiet")] = "json"
    assert main(words) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["images"] for line in lines if line["kind"] == "log"] == [8 * (i + 1) for i in range(8)]


@pytest.fixture
def run(pictures: Path, tmp_path: Path) -> Path:
    command = tiny.command("dcgan", pictures, tmp_path / "run")
    train(command)
    return command.out


def test_changed_setting_is_refused(run: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tiny.fingerprint(run)
    words = tiny.flags(tiny.command("dcgan", pictures, run, batch=12))
    assert "batch: 8 -> 12" in refused(words, capsys) and "choose another --out" in refused(words, capsys)
    words = tiny.flags(tiny.command("dcgan-digits", pictures, run))
    assert "preset: dcgan -> dcgan-digits" in refused(words, capsys)
    assert not tiny.differences(before, tiny.fingerprint(run))


def test_changed_data_is_refused(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    shutil.copytree(pictures, data)
    command = tiny.command("dcgan", data, tmp_path / "run")
    train(command)
    (data / "00.png").unlink()
    assert "count: 24 -> 23" in refused(tiny.flags(command), capsys)


def test_a_copied_set_is_the_same_set(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = tiny.command("dcgan", pictures, tmp_path / "run")
    train(command)
    shutil.copytree(pictures, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    words = tiny.flags(tiny.command("dcgan", tmp_path / "elsewhere", tmp_path / "run"))
    assert main(words) == 0, capsys.readouterr().err


def test_more_workers_or_frames_are_no_other_experiment(run: Path, pictures: Path) -> None:
    assert main(tiny.flags(tiny.command("dcgan", pictures, run, frames=3, keep=1))) == 0


def test_a_folder_that_is_no_run_is_left_alone(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("four years")
    words = tiny.flags(tiny.command("dcgan", pictures, tmp_path / "thesis"))
    assert "is no run of limner's; nothing in it was touched" in refused(words, capsys)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]


def test_two_processes_do_not_train_one_run(run: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with files.alone(run):
        words = tiny.flags(tiny.command("dcgan", pictures, run))
        assert "another process is at work in" in refused(words, capsys)


def test_places_that_cannot_be_written(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        answer = refused(tiny.flags(tiny.command("dcgan", pictures, out)), capsys)
        assert "is no run of limner's" in answer or "cannot write" in answer
    assert (tmp_path / "file").read_text() == "mine"


def test_disk_that_fills_up_loses_nothing(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full from the fourth checkpoint on; with room again the same command ends as if nothing happened."""
    straight = tiny.command("dcgan", pictures, tmp_path / "straight", save_every=8)
    train(straight)
    save, count = Checkpoints.save, []

    def full(self: Checkpoints, state: object, images: int) -> Path:
        count.append(images)
        if len(count) >= 4:
            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
                return save(self, state, images)  # type: ignore[arg-type]
        return save(self, state, images)  # type: ignore[arg-type]

    command = tiny.command("dcgan", pictures, tmp_path / "run", save_every=8)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", full)
        assert "No space left on device" in refused(tiny.flags(command), capsys)
    newest = max(path.name[:12] for path in (tmp_path / "run" / "checkpoints").glob("*.pt"))
    assert newest == "000000000016"
    assert main(tiny.flags(command)) == 0
    assert not tiny.differences(tiny.fingerprint(straight.out), tiny.fingerprint(command.out))


def test_bad_data_and_sizes(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def attempt(*changes: str, data: Path = pictures) -> str:
        words = ["train", "dcgan", "--data", str(data), "--out", str(tmp_path / "run"), "--images", "8", "--batch", "8"]
        answer = refused([*words, *changes], capsys)
        assert not (tmp_path / "run").exists() or not list((tmp_path / "run").glob("[!.]*"))
        return answer

    assert "try --size 48x48" in attempt("--size", "50")
    assert "--images 0: expected a number above 0" in attempt("--size", "16", "--images", "0")
    assert "--seed -1: expected 0 or more" in attempt("--size", "16", "--seed", "-1")
    assert "--filters 0: expected a number above 0" in attempt("--size", "16", "--filters", "0")
    assert "--beta1 1" in attempt("--size", "16", "--beta1", "1")
    assert "--lr-g nan" in attempt("--size", "16", "--lr-g", "nan")
    assert "no such file or folder" in attempt(data=tmp_path / "absent").lower()
    (tmp_path / "empty").mkdir()
    assert "is empty: expected files that end in" in attempt(data=tmp_path / "empty")
    assert "1 widths but 2 strides" in attempt("--size", "16", "--widths", "8", "--strides", "2", "2")
    assert "--batch 0" in attempt("--size", "16", "--batch", "0")
    assert "--workers -1" in attempt("--size", "16", "--workers", "-1")
    assert "--crop 0.5" in attempt("--size", "16", "--crop", "0.5")
    assert "trains D and G equally often" in attempt("--size", "16", "--update", "simultaneous", "--d-per-g", "2")


def test_broken_pictures_are_named_and_left_out(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("00.png", "01.png", "02.png"):
        shutil.copy(pictures / name, data / name)
    (data / "torn.png").write_bytes((pictures / "03.png").read_bytes()[:60])
    (data / "words.jpg").write_text("not a picture")
    words = ["train", "dcgan", "--data", str(data), "--size", "16", "--images", "8", "--batch", "8", "--filters", "4"]
    few = refused([*words, "--out", str(tmp_path / "run")], capsys)
    assert "3 readable" in few and "torn.png" in few and "words.jpg" in few
    shutil.copy(pictures / "04.png", data / "04.png")
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    errors = _flat(capsys.readouterr().err)
    assert "2 pictures cannot be read and are left out" in errors and "torn.png" in errors


def test_generate(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["generate", str(run), "--out", str(out), "--count", "5", "--seed", "3", "--grid"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["grid.png", *(f"seed{i:06d}.png" for i in range(3, 8))]
    again = tmp_path / "again"
    model = str(run / "model.safetensors")
    assert main(["generate", model, "--out", str(again), "--count", "1", "--seed", "6", "--batch", "1"]) == 0
    first, second = (np.asarray(Image.open(folder / "seed000006.png")) for folder in (out, again))
    assert np.array_equal(first, second)
    walk = tmp_path / "walk"
    assert main(["generate", str(run), "--out", str(walk), "--interpolate", "4"]) == 0
    assert {path.suffix for path in walk.iterdir()} == {".png", ".gif", ".webp"}
    capsys.readouterr()
    wrong = ["generate", str(run), "--out", str(tmp_path / "no"), "--label"]
    assert "makes pictures without classes" in refused([*wrong, "7"], capsys)
    assert "at least 1" in refused([*wrong[:-1], "--count", "0"], capsys)
    assert "truncation" in refused([*wrong[:-1], "--truncation", "-1"], capsys)
    assert not (tmp_path / "no").exists()


def test_models_that_are_none(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.numpy import save_file

    torn = tmp_path / "torn.safetensors"
    torn.write_bytes((run / "model.safetensors").read_bytes()[:-100])
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, foreign)
    for path, words in (
        (torn, "cut short"),
        (foreign, "not a limner model"),
        (tmp_path, "no model.safetensors"),
        (tmp_path / "absent", "no such file"),
    ):
        assert words in refused(["generate", str(path), "--out", str(tmp_path / "out")], capsys)
    assert not (tmp_path / "out").exists()


def test_report(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "report.html").unlink()
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").is_file() and (run / "timelapse.gif").is_file()
    capsys.readouterr()
    assert "not a run folder" in refused(["report", str(tmp_path)], capsys)


def _flat(text: str) -> str:
    return " ".join(text.split())
