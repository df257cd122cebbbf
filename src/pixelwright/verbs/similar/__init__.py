"""Pictures that look alike: an index of embeddings on disk, the nearest pictures to one, and near-duplicates."""

from pixelwright.verbs.similar.build import IndexRequest, index_pictures
from pixelwright.verbs.similar.groups import Group, find_duplicates
from pixelwright.verbs.similar.index import Entry, Index, open_index
from pixelwright.verbs.similar.query import Answer, load_model, similar
from pixelwright.verbs.similar.search import Match, nearest
from pixelwright.verbs.similar.sheet import check_sheet, rows_of_answers, rows_of_groups, write_sheet

__all__ = [
    "Answer",
    "Entry",
    "Group",
    "Index",
    "IndexRequest",
    "Match",
    "check_sheet",
    "find_duplicates",
    "index_pictures",
    "load_model",
    "nearest",
    "open_index",
    "rows_of_answers",
    "rows_of_groups",
    "similar",
    "write_sheet",
]
