"""Unpacks the photographs for denoise.toml and super-resolve-x2.toml: `python recipes/photos.py photos-train.zip DIR`.

Only photos of the license classes cc0-pd, cc-by and cc-by-sa are taken. One in eleven, by a hash of the file name, goes
into DIR/validation, the others into DIR/train.
"""

import argparse
import csv
import hashlib
import io
import zipfile
from pathlib import Path

LICENSE_CLASSES = frozenset({"cc0-pd", "cc-by", "cc-by-sa"})


def is_validation(name: str) -> bool:
    """Whether the photo of this file name is kept out of training (one in eleven)."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 11 == 0


def read_manifest(archive: Path) -> list[dict[str, str]]:
    """The rows of the photos' list that are of the license classes above: file, author, license, source."""
    with zipfile.ZipFile(archive) as opened:
        name = next(name for name in opened.namelist() if name.endswith("MANIFEST.csv"))
        rows = csv.DictReader(io.StringIO(opened.read(name).decode()))
        return [row for row in rows if row["licence_class"] in LICENSE_CLASSES]


def main() -> None:
    """Unpacks them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("archive", type=Path, help="photos-train.zip")
    parser.add_argument("output", type=Path, help="folder for train/ and validation/")
    options = parser.parse_args()
    with zipfile.ZipFile(options.archive) as opened:
        for row in read_manifest(options.archive):
            name = row["file"]
            path = options.output / ("validation" if is_validation(name) else "train") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(opened.read(f"photos/{name}"))


if __name__ == "__main__":
    main()
