"""Requests that come from another address: on Linux all of 127.0.0.0/8 is this machine."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter


class From(requests.Session):
    """An HTTP client at an address of its own."""

    def __init__(self, address: str, url: str) -> None:
        super().__init__()
        self.url = url
        self.mount("http://", _At(address))

    def request(self, method: str | bytes, url: str | bytes, **options: Any) -> requests.Response:  # type: ignore[override]
        """As of requests, with paths of the hub."""
        options.setdefault("timeout", 20)
        return super().request(method, urljoin(self.url, str(url)), **options)


class _At(HTTPAdapter):
    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__(pool_maxsize=32)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **options)
