"""Writes small notebooks for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def markdown(source: str) -> dict[str, Any]:
    """A cell of text."""
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source: str, *tags: str) -> dict[str, Any]:
    """A cell of Python."""
    return {
        "cell_type": "code",
        "metadata": {"tags": list(tags)} if tags else {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def notebook(*cells: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """A notebook of these cells."""
    numbered = [{**cell, "id": f"cell-{number}"} for number, cell in enumerate(cells)]
    return {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def write_notebook(path: Path, *cells: dict[str, Any], **metadata: Any) -> Path:
    """Write a notebook of these cells, and the folders above it; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook(*cells, **metadata)), encoding="utf-8")
    return path
