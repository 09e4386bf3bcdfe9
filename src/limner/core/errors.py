"""Errors written for the person who made the mistake."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend; the message says what was given, what was expected and what to do.

    The command line prints it as one paragraph and exits with 2. Anything else that escapes is a bug of ours.
    """


class Interrupted(Exception):
    """The user or the system asked a run to stop; what was learned so far is saved."""


def nearest(name: str, options: Iterable[str]) -> str | None:
    """Return the option that `name` most likely meant, or None when nothing is close."""
    found = difflib.get_close_matches(name, list(options), n=1, cutoff=0.6)
    return found[0] if found else None


def unknown(kind: str, name: str, options: Iterable[str]) -> UserError:
    """Build the error for a name that is in no list: "unknown preset 'dcgn': did you mean 'dcgan'?"."""
    options = sorted(options)
    guess = nearest(name, options)
    if guess is not None:
        return UserError(f"unknown {kind} {name!r}: did you mean {guess!r}?")
    return UserError(f"unknown {kind} {name!r}: there is {', '.join(options)}")


def listing(names: Iterable[str], most: int = 10) -> str:
    """Join names for a message, the first `most` of them and the count of the rest."""
    names = list(names)
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
