"""The command `convert`: a foreign model file to a bundle."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pixelwright import registry
from pixelwright.cli_options import add_command
from pixelwright.cli_output import DONE
from pixelwright.errors import UsageError


def add_convert(commands: Any) -> None:
    """The command with its options."""
    parser = add_command(
        commands,
        "convert",
        "Make a verified bundle of a model file from elsewhere: " + ", ".join(registry.names("importer")) + ".",
        "pixelwright convert model.onnx labels.txt --task classify -o my-model",
        _convert,
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="the model, and perhaps a text file (.txt, .names) with a label a line"
    )
    parser.add_argument(
        "--task", default="", metavar="T", help="what the model is for: " + ", ".join(registry.names("task"))
    )
    parser.add_argument(
        "--contract", type=Path, metavar="FILE.toml", help="how to feed and read it; else it is inferred"
    )
    parser.add_argument("--template", action="store_true", help="print a contract to fill in, and make no bundle")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="a text file with a label a line")
    parser.add_argument("--name", default="", help="of the bundle (default: the folder's)")
    parser.add_argument(
        "--output-tensor",
        action="append",
        default=[],
        metavar="NAME",
        help="make this tensor an output instead of the network's own; again for more",
    )
    parser.add_argument("--dequantize", action="store_true", help="make a float network of a quantized one")
    parser.add_argument("--sample", type=Path, metavar="DIR", help="pictures to show the new model's answers on")
    parser.add_argument("-o", "--output", type=Path, metavar="BUNDLE", help="folder to make")
    parser.add_argument("--replace", action="store_true", help="replace a bundle that stands there")
    parser.add_argument("--json", action="store_true", help="the report as JSON on stdout")


def _convert(options: argparse.Namespace) -> int:
    from pixelwright.verbs import convert as verb

    request = verb.ConvertRequest(
        files=tuple(options.files),
        target=options.output,
        task=options.task,
        contract=options.contract,
        labels=options.labels,
        name=options.name,
        outputs=tuple(options.output_tensor),
        dequantize=options.dequantize,
        sample=options.sample,
        replace=options.replace,
    )
    if options.template:
        if options.output or options.contract or options.json:
            raise UsageError("--template prints a contract and makes nothing: leave out -o, --contract and --json.")
        print(verb.draft_template(request), end="")
        return DONE
    report = verb.convert(request)
    print(json.dumps(verb.report_dict(report)) if options.json else verb.report_text(report))
    return DONE
