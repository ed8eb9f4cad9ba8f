"""Exported results, read back into the DataFrame that they were made of."""

import csv
import io
import json

from harness.rows import columns
from harness.rows.frame import rows_to_frame

PARSERS = {columns.TEXT: str, columns.INTEGER: int, columns.NUMBER: float, columns.LIST: json.loads}


def read_back(path):
    """Read a `.json`, `.csv` or `.parquet`."""
    return {".json": _from_json, ".csv": _from_csv, ".parquet": _from_parquet}[path.suffix](path.read_bytes())


def _from_json(data):
    rows = json.loads(data)
    return rows_to_frame(rows, list(rows[0]) if rows else columns.NAMES)


def _from_csv(data):
    names, *lines = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    return rows_to_frame([_parsed(names, line) for line in lines], names)


def _parsed(names, line):
    return {
        name: PARSERS[columns.BY_NAME[name].dtype](text) if text else None
        for name, text in zip(names, line, strict=True)
    }


def _from_parquet(data):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(io.BytesIO(data))
    return rows_to_frame(table.to_pylist(), table.column_names)
