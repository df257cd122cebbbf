"""`results.csv`: one row for each thing found, and one for each failure with its reason."""

from __future__ import annotations

import csv
from pathlib import Path

from pixelwright.data.export import Export, Found


def write(found: Found, folder: Path) -> None:
    """The table, in UTF-8 with a heading. A picture in which nothing was found has one row of its path alone."""
    aside = folder / "results.csv.tmp"
    with aside.open("w", newline="", encoding="utf-8", errors="surrogateescape") as out:
        table = csv.DictWriter(out, ["path", *found.columns, "error"], extrasaction="ignore")
        table.writeheader()
        for record in found.records():
            failure = record.get("error", {}).get("message", "")
            for row in ([] if failure else found.rows(record)) or [{}]:
                table.writerow({"path": record["path"], "error": failure, **row})
    aside.replace(folder / "results.csv")


EXPORT = Export("csv", "one table, a row for each thing found", (), write)
