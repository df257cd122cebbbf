"""Names the authors of the training photos: `python recipes/attribution.py --data DIR` writes docs/training-photos.md.

The photos themselves are not shipped. CC BY and CC BY-SA ask that authors are named where their work is used.
"""

import argparse
from pathlib import Path

from photos import is_validation, read_manifest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "training-photos.md"
HEAD = """# The photographs behind denoise and super-resolve-x2

`denoise` and `super-resolve-x2` were trained on these {count} photographs, scaled down and cropped. None of them is
part of this package; each keeps the license named. Whether weights trained on share-alike photographs are an
adaptation of them is not settled law; the weights are under Apache-2.0 as far as that is ours to say. Written by
`recipes/attribution.py`.

| file | author | license | source |
|---|---|---|---|
"""


def cell(text: str) -> str:
    """Text that cannot end its cell or become markup."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    rows = read_manifest(parser.parse_args().data / "photos-train" / "photos-train.zip")
    used = [row for row in rows if not is_validation(row["file"])]
    lines = []
    for row in used:
        source = row["source_url"] or f"https://github.com/{row['source_repo']}/tree/{row['commit']}"
        name = Path(row["path"]).name
        lines.append(f"| {cell(name)} | {cell(row['author']) or 'not named'} | {cell(row['licence'])} | <{source}> |\n")
    PAGE.write_text(HEAD.format(count=len(used)) + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
