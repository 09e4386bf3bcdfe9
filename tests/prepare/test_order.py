"""Work that is handed out keeps its order, few pictures wait, and the journal goes on after any line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from limner.prepare import engines, journal
from limner.prepare.items import Item
from limner.prepare.places import Local


def test_no_more_is_in_flight_than_the_cores_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "cores", lambda: 2)
    asked = []

    def items() -> Any:
        for i in range(500):
            asked.append(i)
            yield Item(f"{i:03}", (f"{i}.png",), refused="no")

    most = 0
    for done, _ in enumerate(engines.local(engines.Task(Local(tmp_path), Local(tmp_path), None), items())):  # type: ignore[arg-type]
        most = max(most, len(asked) - done)
    assert len(asked) == 500 and most <= 2 * engines.WAITING + 1


def test_outcomes_keep_their_order_whatever_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "cores", lambda: 4)

    def slow(task: engines.Task, item: Item) -> journal.Outcome:
        time.sleep(0.02 if int(item.name) % 5 == 0 else 0)
        return journal.Outcome(item.name, item.files, ())

    monkeypatch.setattr(engines.Task, "__call__", slow)
    task = engines.Task(Local(tmp_path), Local(tmp_path), None)  # type: ignore[arg-type]
    names = [f"{i:02}" for i in range(40)]
    assert [one.name for one in engines.local(task, (Item(name, ()) for name in names))] == names


def test_the_journal_goes_on_after_any_line(tmp_path: Path) -> None:
    def outcome(i: int, size: int) -> journal.Outcome:
        return journal.Outcome(f"{i:02}", (f"{i}.png",), ("1 2",), ((f"A/{i}.png", size),), (("a", "b"),))

    (tmp_path / ".done.jsonl").write_text("".join(outcome(i, 1).dumps() + "\n" for i in range(10)))
    first = journal.Journal(tmp_path)
    for i in range(4):
        found = first.find(f"{i:02}")
        assert found == outcome(i, 1)
        first.add(outcome(i, 2))
    with first.now.open("a") as file:
        file.write(outcome(4, 2).dumps()[:20])
    second = journal.Journal(tmp_path)
    sizes = [found.made[0][1] for i in range(10) if (found := second.find(f"{i:02}"))]
    assert sizes == [2] * 4 + [1] * 6
    for i in range(3):
        second.add(outcome(i, 2))
    second.end()
    assert len(list(journal.read(tmp_path / ".done.jsonl"))) == 3
    assert not (tmp_path / ".now.jsonl").exists()
