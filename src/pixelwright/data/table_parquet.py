"""`results.parquet`: one row for each thing found, with typed columns, for tables too large for text.

Columns are the same for every model of a task, and null where it gives no such thing:

| result | columns beside `path`, `name`, `frame`, `time_s`, `width`, `height`, `row`, `error` |
|---|---|
| class scores | `label`, `class_id`, `score` |
| detections | the same, `left`, `top`, `right`, `bottom`, `mask_counts`, `keypoints`, `track_id` |
| label map | `label`, `class_id`, `pixels`, `mask_counts` |
| values | `label`, `value` |
| embedding | `space`, `vector` (a list of fixed size) |

`row` is 0 for the best. A picture in which nothing was found has one row of its own with a null `row`, and so has a
failure, with its reason in `error`. `frame` and `time_s` are of videos, null for pictures. Coordinates are ours: pixels
of the upright picture, from the top-left corner of the top-left pixel. `keypoints` is a list of `name`, `x`, `y`,
`score`; `mask_counts` are the compressed run lengths of COCO over `height` and `width`.

Source: https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from pixelwright.data.aside import readable
from pixelwright.data.export import Export, Found
from pixelwright.io.atomic import whole_file
from pixelwright.structures.detections import Detections
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.results import ClassScores, Embedding, NamedValues

GROUP_ROWS = 4096  # held in memory at once; a vector of 2048 numbers makes that 32 MB


def rows(result: ClassScores | Detections | LabelMap | NamedValues | Embedding) -> Iterator[dict[str, Any]]:
    """What was found in one picture, as rows."""
    match result:
        case ClassScores():
            for row in result:
                yield {"label": row.label, "class_id": row.class_id, "score": row.score}
        case Detections():
            yield from (_thing(result, row) for row in range(len(result)))
        case LabelMap():
            for region in result.to_dict()["label_map"]["classes"]:
                yield {
                    "label": region["label"],
                    "class_id": region["id"],
                    "pixels": region["pixels"],
                    "mask_counts": region["counts"],
                }
        case NamedValues():
            for name, value in zip(result.names, result.values.tolist(), strict=True):
                yield {"label": name, "value": value}
        case Embedding():
            yield {"space": result.space, "vector": result.vector}


def _thing(result: Detections, row: int) -> dict[str, Any]:
    thing = result[row]
    left, top, right, bottom = thing.box_xyxy
    record: dict[str, Any] = {"label": thing.label, "class_id": thing.class_id, "score": thing.score}
    record |= {"left": left, "top": top, "right": right, "bottom": bottom}
    written = result.take(slice(row, row + 1)).to_dict()["detections"][0]
    if "mask" in written:
        record["mask_counts"] = written["mask"]["counts"]
    if result.keypoints is not None:
        points = zip(result.keypoint_names, result.keypoints[row].tolist(), strict=True)
        record["keypoints"] = [{"name": name, "x": x, "y": y, "score": score} for name, (x, y, score) in points]
    if result.track_ids is not None:
        record["track_id"] = int(result.track_ids[row])
    return record


def write(found: Found, folder: Path) -> None:
    """The table, written a group of rows at a time."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema(found).with_metadata({"pixelwright.model": found.model})
    table = _rows(found)
    with (
        whole_file(folder / "results.parquet") as out,
        parquet.ParquetWriter(out, schema, compression="zstd") as writer,
    ):
        while group := list(islice(table, GROUP_ROWS)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _rows(found: Found) -> Iterator[dict[str, Any]]:
    for record in found.records():
        height, width = record.get("size_hw", (None, None))
        picture = {"path": readable(record["path"]), "name": readable(record["name"]), "width": width, "height": height}
        picture |= {"frame": record.get("frame"), "time_s": record.get("time_s")}
        if "error" in record:
            yield picture | {"error": readable(record["error"]["message"])}
            continue
        things = list(rows(found.result.from_dict(record)))
        yield from (picture | {"row": number} | thing for number, thing in enumerate(things))
        if not things:
            yield picture


def _schema(found: Found) -> Any:
    import pyarrow as pa

    whole, number, text = pa.int32(), pa.float32(), pa.string()
    named = [("label", text), ("class_id", whole)]
    point = pa.struct([("name", text), ("x", number), ("y", number), ("score", number)])
    columns: dict[type, list[tuple[str, Any]]] = {
        ClassScores: [*named, ("score", number)],
        Detections: [
            *named,
            ("score", number),
            *((side, number) for side in ("left", "top", "right", "bottom")),
            ("mask_counts", text),
            ("keypoints", pa.list_(point)),
            ("track_id", whole),
        ],
        LabelMap: [*named, ("pixels", pa.int64()), ("mask_counts", text)],
        NamedValues: [("label", text), ("value", number)],
        Embedding: [("space", text), ("vector", pa.list_(number, _dimensions(found)))],
    }
    picture = [("path", text), ("name", text), ("frame", whole), ("time_s", pa.float64())]
    picture += [("width", whole), ("height", whole), ("row", whole)]
    return pa.schema([*picture, *columns[found.result], ("error", text)])


def _dimensions(found: Found) -> int:
    """Of the vectors; -1, which means any, where there are none."""
    first = next(found.sound(), None) if found.result is Embedding else None
    return len(first["embedding"]) if first else -1


def _available() -> str | None:
    if find_spec("pyarrow"):
        return None
    return "it needs pyarrow. Install it with: pip install 'pixelwright[parquet]'"


EXPORT = Export(
    "parquet",
    "one table with typed columns, a row for each thing found",
    (ClassScores, Detections, LabelMap, NamedValues, Embedding),
    write,
    _available,
)
