"""What makes two commands the same run: config, data and machine, as config.json holds them."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from limner.core import files
from limner.core.config import TrainConfig, differences, from_dict, to_dict
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.core.version import VERSION
from limner.engine.distributed import Ranks
from limner.engine.machine import Machine, best_device, resolve


def earlier(run: Run, config: TrainConfig) -> dict[str, Any] | None:
    """Return the config.json of the run that is to be continued, or None for a new one.

    Errors: UserError when the folder holds something else, or a run with other settings.
    """
    if not run.exists:
        ours = {run.cache.name, files.LOCK}  # what an attempt with unusable pictures leaves
        if run.folder.is_file() or (run.folder.is_dir() and {path.name for path in run.folder.iterdir()} - ours):
            raise UserError(
                f"--out {run.folder} exists and is no run of limner's; nothing in it was touched. Choose a new folder."
            )
        return None
    before = run.read_config()
    # Other hardware is no other experiment, and the data's fingerprint says more than how its path is written.
    same = {"engine": None, "data": None}
    changed = differences({**before["config"], **same}, {**to_dict(config), **same})
    if changed:
        raise UserError(
            f"{run.folder} holds a run with other settings ({'; '.join(changed)}). To continue it, give the settings "
            "it began with; to train with the new ones, choose another --out."
        )
    return before


def machine(config: TrainConfig, here: Ranks, before: dict[str, Any] | None) -> Machine:
    """Choose the settings that the run began with, unless the person or the hardware says otherwise."""
    asked = config.engine
    chosen = resolve(asked, here, config.batch)
    if before is None or before["config"]["engine"] != to_dict(asked) or before["resolved"]["world"] != here.world:
        return chosen
    recorded: Machine = from_dict(Machine, before["resolved"]["machine"], "config.json: machine")
    device = recorded.device.partition(":")[0]
    if device not in ("cpu", best_device()):
        return chosen
    return dataclasses.replace(recorded, device="cpu" if device == "cpu" else chosen.device)


def settle(
    run: Run,
    config: TrainConfig,
    data: dict[str, Any],
    total: int,
    machine: Machine,
    here: Ranks,
    before: dict[str, Any] | None,
    chosen: dict[str, Any],
) -> list[str]:
    """Write config.json, rank 0 alone, and return what differs from the machine that the run began on.

    `data` says what the pictures are, `chosen` what else "auto" became. Errors: UserError when the
    pictures are not those that the run began with.
    """
    found = {"data": data, "machine": to_dict(machine), "torch": torch.__version__, "total": total, "world": here.world}
    found |= chosen
    old = before["resolved"] if before else found
    changed = differences(old["data"], data)
    if changed:
        raise UserError(
            f"the data of {run.folder} has changed since it was trained ({'; '.join(changed)}), so it cannot be "
            "continued exactly. Put the pictures back as they were, or train the new ones into another --out."
        )
    content = {"limner": VERSION, "config": to_dict(config), "resolved": found}
    if here.first and before != content:
        run.write_config(content)
    return differences(old, found)
