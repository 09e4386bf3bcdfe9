"""`limner show`: what a recipe is made of."""

from __future__ import annotations

import dataclasses
import json

from tyro.conf import Positional

from limner import presets
from limner.core.config import to_dict
from limner.core.console import print_data


@dataclasses.dataclass(frozen=True)
class Show:
    """Print every setting of a preset as JSON, as a run's config.json would hold it."""

    preset: Positional[str]
    """name of the preset"""


def show(command: Show) -> None:
    """Print it; UserError naming the nearest preset when there is none."""
    print_data(json.dumps(to_dict(presets.get(command.preset)), indent=2))
