"""The commands about models: list, show, pull, remove, verify, licenses."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from pixelwright import registry
from pixelwright.cli_options import add_command
from pixelwright.cli_output import DONE, FAILURES, UNREADABLE, say
from pixelwright.cli_progress import show_transfers
from pixelwright.errors import OutputError, PixelwrightError, UsageError

Command = Callable[[argparse.Namespace], int]


def add_models(commands: Any) -> None:
    """The command `models` with its own commands."""
    parser = add_command(
        commands,
        "models",
        "List, show, pull and verify models, and their licenses.",
        "pixelwright models verify denoise",
        lambda options: options.models_command(options),
    )
    verbs = parser.add_subparsers(title="commands", metavar="list|show|pull|remove|verify|licenses", required=True)

    def verb(name: str, summary: str, example: str, command: Command, names: str | None) -> argparse.ArgumentParser:
        made = add_command(
            verbs, name, summary, f"pixelwright models {name} {example}".rstrip(), parser.get_default("command")
        )
        made.set_defaults(models_command=command)
        made.add_argument("--json", action="store_true", help="data on stdout")
        if names:
            made.add_argument("names", nargs=names, metavar="MODEL", help="names or bundle folders")
        return made

    listed = verb("list", "every model with its task, size, terms and headline score", "--task detect", _list, None)
    _add_task(listed)
    verb("show", "a model's whole contract, scores and parity", "denoise", _show, "+")
    _add_pull(verb("pull", "fetch third-party models, convert and verify them", "fastestdet-coco", _pull, "*"))
    verb("remove", "take third-party models out of the cache", "fastestdet-coco", _remove, "+")
    verb("verify", "checksums in full, and parity with the stored answers, here and now", "denoise", _verify, "*")
    licenses = verb("licenses", "the terms of code, weights and training data", "denoise", _licenses, "*")
    licenses.add_argument("--commercial", action="store_true", help="exit 1 unless everything allows commerce")
    licenses.add_argument("--all", action="store_true", help="also of third-party models that are not pulled")


def _add_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", choices=registry.names("task"), help="only models for this task")


def _add_pull(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="every third-party model")
    _add_task(parser)
    parser.add_argument(
        "--mirror",
        metavar="DIR|URL",
        help="look for the files below this folder, or ask this https address (default: PIXELWRIGHT_MIRROR)",
    )


def _list(options: argparse.Namespace) -> int:
    from pixelwright.verbs import models

    rows = models.list_models(options.task)
    print(json.dumps(models.list_dict(rows)) if options.json else models.list_text(rows))
    return DONE


def _show(options: argparse.Namespace) -> int:
    from pixelwright.verbs import models

    shown = [models.show_model(name) for name in options.names]
    if options.json:
        print(json.dumps([models.show_dict(one) for one in shown]))
    else:
        print("\n\n".join(map(models.show_text, shown)))
    return DONE


def _pull(options: argparse.Namespace) -> int:
    from pixelwright.verbs import models

    if not (options.names or options.all or options.task):
        raise UsageError("which models? Name them, or use --all or --task. See: pixelwright models list")
    names = models.to_pull(options.names, all_models=options.all, task=options.task)
    rows: list[models.Pulled] = []
    with show_transfers(sys.stderr) as on_transfer:
        for name in names:
            try:
                rows.append(models.pull_model(name, mirror=options.mirror, on_transfer=on_transfer))
            except OutputError:
                raise  # no other model would find room either
            except PixelwrightError as err:
                if len(names) == 1 and not options.json:
                    raise
                rows.append(models.Pulled(name, error=err))
                say(str(err))
    print(json.dumps(models.pull_dict(rows)) if options.json else models.pull_text(rows))
    failed = sum(row.error is not None for row in rows)
    return DONE if not failed else UNREADABLE if failed == len(rows) else FAILURES


def _remove(options: argparse.Namespace) -> int:
    from pixelwright.verbs import models

    freed = {name: models.remove_model(name) for name in options.names}
    if options.json:
        print(json.dumps(freed))
    else:
        print("\n".join(f"{name}: {size / 1e6:.2f} MB freed" for name, size in freed.items()))
    return DONE


def _licenses(options: argparse.Namespace) -> int:
    from pixelwright.verbs import models

    rows = models.list_licenses(options.names, everything=options.all)
    closed = models.not_commercial(rows) if options.commercial else []
    shown = closed if options.commercial else rows
    print(json.dumps(models.licenses_dict(shown)) if options.json else models.licenses_text(shown))
    if options.commercial:
        say(f"{len(closed)} of {len(rows)} terms do not clearly allow commercial use.")
    return FAILURES if closed else DONE


def _verify(options: argparse.Namespace) -> int:
    from pixelwright.verbs import models

    verdicts = models.verify_models(options.names)
    print(json.dumps(models.verify_dict(verdicts)) if options.json else models.verify_text(verdicts))
    return DONE if all(verdict.ok for verdict in verdicts) else FAILURES
