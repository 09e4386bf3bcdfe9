"""The command line: one sub-command per file of commands/, its flags made from that file's dataclass."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

from limner.core.environment import prepare
from limner.core.errors import Interrupted, UserError, unknown
from limner.core.version import VERSION

COMMANDS = {
    "demo": ("limner.commands.demo:Demo:demo", "learn digits in three minutes: the quickest look"),
    "train": ("limner.commands.train:Train:train", "train a preset on your pictures, or go on with a run"),
    "generate": ("limner.commands.generate:Generate:generate", "make new pictures with a trained model"),
    "translate": ("limner.commands.translate:Translate:translate", "turn pictures and videos into others"),
    "evaluate": ("limner.commands.evaluate:Evaluate:evaluate", "say how good a model is, in numbers one can trust"),
    "inspect": ("limner.commands.inspect:Inspect:inspect", "what a set of pictures holds, and what is wrong with it"),
    "prepare": ("", "make a training set of what you have; see limner prepare"),
    "fetch": ("limner.commands.fetch:Fetch:fetch", "get a public set of pictures, or the weights of a metric"),
    "report": ("limner.commands.report:Report:report", "make the page of a run anew"),
    "compare": ("limner.commands.compare:Compare:compare", "put runs side by side in a table and on a page"),
    "studio": ("limner.studio.command:Studio:studio", "a page in the browser for all of this"),
    "presets": ("limner.commands.presets:Presets:list_presets", "list the recipes"),
    "show": ("limner.commands.show:Show:show", "print every setting of a recipe"),
}

PREPARE = {
    "faces": ("limner.commands.prepare.faces:Faces:faces", "find faces, align them, cut them out"),
    "edges": ("limner.commands.prepare.tasks:Edges:edges", "pairs of outlines and your photographs"),
    "sketch": ("limner.commands.prepare.tasks:Sketch:sketch", "pairs of pencil sketches and your photographs"),
    "grey": ("limner.commands.prepare.tasks:Grey:grey", "pairs of grey pictures and your photographs"),
    "lowres": ("limner.commands.prepare.tasks:Lowres:lowres", "pairs of coarse pictures and your photographs"),
    "masks": ("limner.commands.prepare.tasks:Masks:masks", "pairs of pictures with holes and your photographs"),
    "pack": ("limner.commands.prepare.pack:Pack:pack", "one file, or a few, that hold a set at load size"),
}

USAGE = """usage: limner COMMAND ...

Trains generative adversarial networks on your own pictures.

{commands}

limner COMMAND --help says more; limner train PRESET --help lists the settings of a preset.
"""

PREPARE_USAGE = """usage: limner prepare KIND IN OUT ...

Makes a training set of what you have; nothing of yours is changed.

{commands}

limner prepare KIND --help says more.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code: 0 done, 2 a mistake of the user's, 130 interrupted."""
    prepare()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _main(arguments)
    except UserError as error:
        sys.stderr.write(f"limner: {error}\n")
        return 2
    except Interrupted:  # the run has said so itself
        return 130
    except KeyboardInterrupt:
        sys.stderr.write("limner: interrupted\n")
        return 130


def _main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(USAGE.format(commands=_listed(COMMANDS)))
        return 0 if arguments else 2
    if arguments[0] == "--version":
        sys.stdout.write(f"limner {VERSION}\n")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise unknown("command", name, COMMANDS)
    place = COMMANDS[name][0]
    if name == "prepare":
        if not rest or rest[0] in ("-h", "--help"):
            sys.stdout.write(PREPARE_USAGE.format(commands=_listed(PREPARE)))
            return 0 if rest else 2
        if rest[0] not in PREPARE:
            raise unknown("kind", rest[0], PREPARE)
        name, place, rest = f"prepare {rest[0]}", PREPARE[rest[0]][0], rest[1:]
    module, flags, function = place.split(":")
    loaded = importlib.import_module(module)
    command = _parse_train(rest) if name == "train" else _parse(getattr(loaded, flags), name, rest)
    getattr(loaded, function)(command)
    return 0


def _listed(commands: dict[str, tuple[str, str]]) -> str:
    return "\n".join(f"  {name:<10}{what}" for name, (_, what) in commands.items())


def _parse_train(arguments: list[str]) -> Any:
    # `limner train PRESET ...`: the preset decides which flags there are and what they are by default.
    import dataclasses

    import tyro

    from limner import presets
    from limner.commands.train import Train
    from limner.presets.overlay import settle_length

    if not arguments or arguments[0].startswith("-"):
        help_wanted = bool({"-h", "--help"} & set(arguments))
        names = ", ".join(presets.PRESETS.names())
        text = f"limner train PRESET --data DATA --out RUN ...; the presets are {names}"
        if help_wanted:
            sys.stdout.write(f"usage: {text}\n\nlimner train PRESET --help lists the settings of one.\n")
            raise SystemExit(0)
        raise UserError(f"say which preset to train: {text}")
    preset = presets.get(arguments[0])
    command = _parse(Train, f"train {arguments[0]}", arguments[1:], Train(preset, tyro.MISSING))
    return dataclasses.replace(command, config=settle_length(command.config, preset))


def _parse(flags: type, name: str, arguments: list[str], default: Any = None) -> Any:
    import tyro

    from limner.flags import REGISTRY

    options: dict[str, Any] = {"default": default} if default is not None else {}
    return tyro.cli(
        flags,
        prog=f"limner {name}",
        args=arguments,
        registry=REGISTRY,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
        **options,
    )
