"""`results.csv`: one row for each thing found, and one for each failure with its reason."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from pixelwright.data.export import Export, Found
from pixelwright.io.atomic import whole_file


def write(found: Found, folder: Path) -> None:
    """The table, in UTF-8 with a heading. A picture in which nothing was found has one row of its path alone.

    Frames of a video, which share its path, are told apart by their number and time.
    """
    frame = ["frame", "time_s"] if any("frame" in record for record in found.records()) else []
    with whole_file(folder / "results.csv") as file:
        # A name of any bytes is written as these bytes. Windows has names that are none, and they get escapes.
        errors = "backslashreplace" if os.name == "nt" else "surrogateescape"
        out = io.TextIOWrapper(file, encoding="utf-8", errors=errors, newline="", write_through=True)
        table = csv.DictWriter(out, ["path", *frame, *found.columns, "error"], extrasaction="ignore")
        table.writeheader()
        for record in found.records():
            failure = record.get("error", {}).get("message", "")
            for row in ([] if failure else found.rows(record)) or [{}]:
                place = {name: record.get(name) for name in ("path", *frame)}
                table.writerow({**place, "error": failure, **row})
        out.detach()


EXPORT = Export("csv", "one table, a row for each thing found", (), write)
