"""Values of a notebook in one file, which many processes have in memory once.

The file is numbers as they lie in memory, Arrow's messages for texts, and at its end an index in
JSON. Nothing in it is code. A frame's columns of one type lie side by side, as pandas wants them,
or it would copy them.

Imports pandas: only what runs notebooks may import this module, when it is time for that.
"""

from __future__ import annotations

import datetime
import json
import mmap
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.internals import create_dataframe_from_blocks

_MARK = b"ATRIUM 1"
_LENGTH = 8  # bytes for that of the index
_ALIGNED = 64
_MASKED = {
    pd.arrays.IntegerArray: "integers",
    pd.arrays.FloatingArray: "floats",
    pd.arrays.BooleanArray: "booleans",
}


class CannotBeShared(Exception):
    """A value is of a kind that this form of file does not know; the message names it."""


def write(values: Mapping[str, object], file: BinaryIO, needed: Collection[str] = ()) -> None:
    """Write values by name.

    Args:
        needed: those without which there is no use; others that cannot be shared are left out.

    Raises CannotBeShared; OSError, where there is no room.
    """
    writer = _Writer(file)
    forms = {}
    for name, value in values.items():
        try:
            forms[name] = writer.form(value, name)
        except CannotBeShared:
            if name in needed:
                raise
    index = json.dumps(forms).encode()
    file.write(index + len(index).to_bytes(_LENGTH, "little") + _MARK)
    file.flush()


def read(path: Path) -> dict[str, Any]:
    """The values in a file. Arrays are read-only views of it, and so is what frames are made of.

    Raises OSError; ValueError, for a file of another form.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        memory = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)
    end = len(memory) - len(_MARK) - _LENGTH
    begin = end - int.from_bytes(memory[max(end, 0) :][:_LENGTH], "little")
    if begin < 0 or memory[end + _LENGTH :] != _MARK:
        raise ValueError("This is no file of shared values.")
    reader = _Reader(memory)
    return {name: reader.value(form) for name, form in json.loads(memory[begin:end]).items()}


class _Writer:
    """Puts values into a file; tells of each its form, which is what the index says of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = 0

    def form(self, value: Any, name: str) -> Any:
        """The form of any value. Raises CannotBeShared, which calls it by `name`."""
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if kind in (list, tuple):
            items = [self.form(item, f"{name}[{place}]") for place, item in enumerate(value)]
            return items if kind is list else {"tuple": items}
        if kind is dict:
            return {
                "dict": [
                    [self.form(key, name), self.form(item, f"{name}[{key!r}]")]
                    for key, item in value.items()
                ]
            }
        if kind in (datetime.datetime, datetime.date):
            return {kind.__name__: value.isoformat()}
        if kind in (np.ndarray, np.memmap):
            return {"array": self._numbers([value], name)}
        if isinstance(value, np.generic):
            return {"scalar": self._numbers([np.asarray(value)], name)}
        if kind in (pd.Timestamp, pd.Timedelta):
            return {"item": self._column(pd.Series([value]), name)}
        if kind is pd.DataFrame:
            return {"frame": self._frame(value, name)}
        if kind is pd.Series:
            return {
                "series": self._column(value, name),
                "index": self._index(value.index, f"{name}.index"),
                "name": self.form(value.name, f"{name}.name"),
            }
        if isinstance(value, pd.Index):
            return {"index": self._index(value, name)}
        raise _refused(name, f"of the type {kind.__module__}.{kind.__qualname__}")

    def _frame(self, frame: pd.DataFrame, name: str) -> dict[str, Any]:
        columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
        alike: dict[str, list[int]] = {}
        for place, column in enumerate(columns):
            own = "" if isinstance(column.dtype, np.dtype) else f" {place}"
            alike.setdefault(f"{column.dtype}{own}", []).append(place)
        blocks = []
        for places in alike.values():
            first, called = columns[places[0]], f"{name}[{frame.columns[places[0]]!r}]"
            if isinstance(first.dtype, np.dtype):
                form = self._numbers([columns[place].to_numpy() for place in places], called)
                form["shape"] = [len(places), len(frame)]
                blocks.append([places, {"numbers": form}])
            else:
                blocks.append([places, self._column(first, called)])
        return {
            "blocks": blocks,
            "index": self._index(frame.index, f"{name}.index"),
            "columns": self._index(frame.columns, f"{name}.columns"),
        }

    def _index(self, index: pd.Index, name: str) -> dict[str, Any]:
        names = [self.form(one, f"{name}.names") for one in index.names]
        if isinstance(index, pd.RangeIndex):
            return {"range": [index.start, index.stop, index.step], "names": names}
        if isinstance(index, pd.MultiIndex):
            levels = [self._column(level.to_series(), name) for level in index.levels]
            codes = [self._numbers([np.asarray(one)], name) for one in index.codes]
            return {"levels": levels, "codes": codes, "names": names}
        if index.dtype == object and index.inferred_type in ("mixed", "mixed-integer", "empty"):
            return {"labels": self.form(list(index), name), "names": names}
        return {"column": self._column(index.to_series(), name), "names": names}

    def _column(self, column: pd.Series, name: str) -> dict[str, Any]:
        dtype, array = column.dtype, column.array
        if isinstance(dtype, np.dtype):
            return {"numbers": self._numbers([column.to_numpy()], name)}
        if isinstance(dtype, pd.DatetimeTZDtype):
            moments = self._numbers([column.dt.tz_convert(None).to_numpy()], name)
            return {"moments": moments, "zone": str(dtype.tz), "unit": dtype.unit}
        if isinstance(array, pd.Categorical):
            return {
                "codes": self._numbers([np.asarray(array.codes)], name),
                "categories": self._column(array.categories.to_series(), name),
                "ordered": array.ordered,
            }
        if kind := _MASKED.get(type(array)):  # type: ignore[arg-type]
            missing = np.asarray(array.isna())
            filled = array.to_numpy(dtype=dtype.numpy_dtype, na_value=0)  # type: ignore[union-attr]
            return {
                kind: self._numbers([filled], name),
                "missing": self._numbers([missing], name),
            }
        if isinstance(dtype, pd.StringDtype):
            missing = "nan" if dtype.na_value is np.nan else "NA"
            return {"texts": self._arrow(pa.array(column, pa.large_string())), "missing": missing}
        if isinstance(dtype, pd.ArrowDtype):
            return {"arrow": self._arrow(pa.array(column))}
        raise _refused(name, f"of the type {dtype}")

    def _numbers(self, arrays: Sequence[np.ndarray], name: str) -> dict[str, Any]:
        """Arrays of one type and length, one after the other."""
        dtype = arrays[0].dtype
        if dtype.hasobject:
            raise _refused(name, "made of Python objects")
        if dtype.kind not in "biufcmMSU":
            raise _refused(name, f"of the type {dtype}")
        self._align()
        begin = self._size
        for array in arrays:
            self._put(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return {"at": begin, "dtype": dtype.str, "shape": list(arrays[0].shape)}

    def _arrow(self, array: pa.Array | pa.ChunkedArray) -> dict[str, int]:
        whole = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        batch = pa.record_batch([whole], names=[""])
        self._align()
        begin = self._size
        message = pa.BufferOutputStream()
        with pa.ipc.new_stream(message, batch.schema) as stream:
            stream.write_batch(batch)
        self._put(memoryview(message.getvalue()))
        return {"at": begin, "size": self._size - begin}

    def _align(self) -> None:
        self._put(memoryview(bytes(-self._size % _ALIGNED)))

    def _put(self, data: memoryview) -> None:
        self._file.write(data)
        self._size += len(data)


def _refused(name: str, kind: str) -> CannotBeShared:
    return CannotBeShared(
        f"“{name}” is used in other cells and cannot be shared: it is {kind}. A shared cell can"
        " leave frames, series and arrays of numbers, texts, dates and categories, and plain"
        " values. Make the rest in cells without the tag."
    )


class _Reader:
    """Makes values of their forms, out of the memory of a file."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._kinds: dict[str, Callable[[Any], Any]] = {
            "tuple": lambda form: tuple(map(self.value, form["tuple"])),
            "dict": lambda form: {self.value(key): self.value(one) for key, one in form["dict"]},
            "datetime": lambda form: datetime.datetime.fromisoformat(form["datetime"]),
            "date": lambda form: datetime.date.fromisoformat(form["date"]),
            "array": lambda form: self._numbers(form["array"]),
            "scalar": lambda form: self._numbers(form["scalar"])[()],
            "item": lambda form: pd.Series(self._column(form["item"]))[0],
            "frame": lambda form: self._frame(form["frame"]),
            "series": self._series,
            "index": lambda form: self._index(form["index"]),
        }

    def value(self, form: Any) -> Any:
        """The value of any form."""
        if isinstance(form, list):
            return [self.value(item) for item in form]
        if isinstance(form, dict):
            return self._kinds[next(iter(form))](form)
        return form

    def _frame(self, form: dict[str, Any]) -> pd.DataFrame:
        blocks = [(self._column(one), np.array(places)) for places, one in form["blocks"]]
        index, columns = self._index(form["index"]), self._index(form["columns"])
        return create_dataframe_from_blocks(blocks, index=index, columns=columns)

    def _series(self, form: dict[str, Any]) -> pd.Series:
        index, name = self._index(form["index"]), self.value(form["name"])
        return pd.Series(self._column(form["series"]), index=index, name=name, copy=False)

    def _index(self, form: dict[str, Any]) -> pd.Index:
        names = self.value(form["names"])
        if "range" in form:
            return pd.RangeIndex(*form["range"], name=names[0])
        if "levels" in form:
            return pd.MultiIndex(
                levels=[pd.Index(self._column(level), copy=False) for level in form["levels"]],
                codes=[self._numbers(codes) for codes in form["codes"]],
                names=names,
            )
        if "labels" in form:
            return pd.Index(self.value(form["labels"]), dtype=object, name=names[0])
        return pd.Index(self._column(form["column"]), copy=False, name=names[0])

    def _column(self, form: dict[str, Any]) -> Any:
        """An array of numpy's or of pandas'."""
        if "numbers" in form:
            return self._numbers(form["numbers"])
        if "moments" in form:
            dtype = pd.DatetimeTZDtype(form["unit"], form["zone"])
            return pd.array(self._numbers(form["moments"]).view("i8"), dtype=dtype, copy=False)
        if "codes" in form:
            categories = pd.Index(self._column(form["categories"]), copy=False)
            codes = self._numbers(form["codes"])
            return pd.Categorical.from_codes(codes, categories, ordered=form["ordered"])
        for kind, name in _MASKED.items():
            if name in form:
                return kind(self._numbers(form[name]), self._numbers(form["missing"]), copy=False)
        if "texts" in form:
            missing = np.nan if form["missing"] == "nan" else pd.NA
            dtype = pd.StringDtype("pyarrow", na_value=missing)
            return dtype.__from_arrow__(self._arrow(form["texts"]))
        array = self._arrow(form["arrow"])
        return pd.ArrowDtype(array.type).__from_arrow__(array)

    def _numbers(self, form: dict[str, Any]) -> np.ndarray:
        dtype, shape = np.dtype(form["dtype"]), form["shape"]
        count = int(np.prod(shape, dtype="i8"))
        if not count:
            return np.empty(shape, dtype)
        return np.frombuffer(self._memory, dtype, count, form["at"]).reshape(shape)

    def _arrow(self, form: dict[str, int]) -> pa.Array:
        message = pa.py_buffer(self._memory).slice(form["at"], form["size"])
        return pa.ipc.open_stream(message).read_next_batch().column(0)
