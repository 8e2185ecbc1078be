"""Somebody with a dashboard open, as far as the servers notice it; cheap enough for a hundred.

HTTP through the sign-in, the waiting page and the dashboard's page, then Bokeh's WebSocket, by
which the document is pulled. What a browser would draw is not drawn.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from aiohttp import ClientResponse, ClientSession, ClientTimeout, CookieJar, TCPConnector, WSMsgType

from tests.person import form_of

#: Seconds for everything: thirty servers that start at once on two cores take minutes.
PATIENCE: Final = 900
#: Seconds for which a page that fails is loaded anew.
_TRIES: Final = 60
_TOKEN: Final = re.compile(r'"token":"([^"]+)"')
#: The document as some pages bring it: the WebSocket then says whether it is still the same.
_FIRST_STATE: Final = re.compile(r'<script [^>]*id="first-state">(.*?)</script>', re.DOTALL)
_PROGRESS: Final = re.compile(r'EventSource\(("[^"]+")\)')
#: Where JupyterHub offers to start a server that has ended: one of the peer's does, now and then.
_LAUNCH: Final = re.compile(r'<a id="start"[^>]*\bhref="([^"]+)"')
_RELOADS: Final = "<script>location.reload();</script>"
#: What a browser says when it has drawn the document; Panel holds plots back until then.
_READY: Final = {
    "kind": "MessageSent",
    "msg_type": "bokeh_event",
    "msg_data": {"type": "event", "name": "document_ready", "values": {"type": "map"}},
}
_numbers = itertools.count(1000)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What has been answered in the end, and from where."""

    url: str
    text: str


class Viewer:
    """One person.

    Attributes:
        document: the dashboard's, as text, once it is there.
        reloads: how often a page failed and was loaded anew.
    """

    def __init__(self) -> None:
        self.document, self.reloads = "", 0
        self._http = ClientSession(
            connector=TCPConnector(limit=0),
            cookie_jar=CookieJar(unsafe=True),  # the address is a number
            timeout=ClientTimeout(total=PATIENCE),
        )
        self._socket: Any = None
        self._reading: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()

    async def get(self, url: str) -> Page:
        """Go to an address."""
        async with self._http.get(url) as answer:
            return await _page(answer)

    async def _answered_in_the_end(self, url: str) -> Page:
        """As somebody who loads anew what failed: servers of the peer answer 404 while they start,
        if many do."""
        for _ in range(_TRIES):
            async with self._http.get(url) as answer:
                if answer.ok:
                    return await _page(answer)
            self.reloads += 1
            await asyncio.sleep(1)
        return await self.get(url)

    async def shown(self, url: str) -> Page:
        """As somebody who loads anew a page without a dashboard: Voilà has some, if many come."""
        for _ in range(_TRIES):
            page = await self._answered_in_the_end(url)
            if has_outputs(page) or _TOKEN.search(page.text):
                return page
            self.reloads += 1
            await asyncio.sleep(1)
        raise AssertionError(f"no dashboard at {url}: {page.text[-2000:]}")

    async def submit(self, page: Page, button: str = "", **fields: str) -> Page:
        """Send the first form of a page."""
        url, hidden = form_of(page.text, page.url, button)
        async with self._http.post(url, data={**hidden, **fields}) as answer:
            return await _page(answer)

    async def see(self, page: Page) -> None:
        """From the page on which a sign-in ends to the dashboard's document, with its plot.

        Raises:
            AssertionError: there is no plot in it.
        """
        while not (token := _TOKEN.search(page.text)):
            if progress := _PROGRESS.search(page.text):
                await self._until_ready(urljoin(page.url, json.loads(progress[1])))
            elif launch := _LAUNCH.search(page.text):
                self.reloads += 1
                page = await self._answered_in_the_end(urljoin(page.url, unescape(launch[1])))
                continue
            else:
                assert _RELOADS in page.text, f"no dashboard at {page.url}: {page.text[:2000]}"
            page = await self._answered_in_the_end(page.url)
        place = urlsplit(page.url)
        self._socket = await self._http.ws_connect(
            f"ws://{place.netloc}{place.path.rstrip('/')}/ws",
            protocols=("bokeh", token[1]),
            origin=f"{place.scheme}://{place.netloc}",
            max_msg_size=0,
        )
        await self._message("ACK")
        state = _FIRST_STATE.search(page.text)
        if not state:  # the server tells about it unasked
            await self._send("PULL-DOC-REQ", {})
        reply = await self._message("PULL-DOC-REPLY")
        self.document = state[1] if state and '"doc":null' in reply else reply
        assert has_plot(self.document), self.document[:2000]
        await self._send("PATCH-DOC", {"events": [_READY]})
        self._reading = asyncio.create_task(self._read_on())

    async def _until_ready(self, progress: str) -> None:
        """Wait as the page of a server that starts does."""
        async with self._http.get(progress, headers={"Accept": "text/event-stream"}) as events:
            async for line in events.content:
                if not line.startswith(b"data:"):
                    continue
                event = json.loads(line.removeprefix(b"data:"))
                assert not event.get("failed"), event
                if event.get("ready"):
                    return

    async def move(self, times: asyncio.Event, seconds: float, after: float) -> int:
        """Move the slider about once in so many seconds until `times` is set, beginning `after`
        seconds; a person waits for the answer before they move on. Returns how often."""
        slider = find_slider(self.document)
        values = itertools.cycle([*range(31, 61), *range(59, 29, -1)])  # it is 30
        moves, loop = 0, asyncio.get_running_loop()
        due = loop.time() + after
        while not await _is_set(times, due - loop.time()):
            self._answered.clear()
            change = {"kind": "ModelChanged", "model": {"id": slider}, "attr": "value"}
            await self._send("PATCH-DOC", {"events": [{**change, "new": next(values)}]})
            async with asyncio.timeout(PATIENCE):
                await self._answered.wait()
            moves += 1
            due = max(due + seconds, loop.time())
        return moves

    async def _read_on(self) -> None:
        """Take all that comes, as a browser does; an idle one answers pings by this."""
        while True:
            kind, content = await self._next()
            if kind == "PATCH-DOC" and is_new_data(content):
                self._answered.set()

    async def _message(self, kind: str) -> str:
        while True:
            found, content = await self._next()
            if found == kind:
                return content

    async def _next(self) -> tuple[str, str]:
        """The next message's kind and content; buffers are read and left."""
        header, _, content = [await self._fragment() for _ in range(3)]
        parts = json.loads(header)
        for _ in range(2 * parts.get("num_buffers", 0)):
            await self._fragment()
        return parts["msgtype"], content

    async def _fragment(self) -> str:
        message = await self._socket.receive()
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            raise ConnectionError(f"the WebSocket has ended: {message.type.name}")
        return message.data

    async def _send(self, kind: str, content: dict[str, Any]) -> None:
        header = {"msgid": str(next(_numbers)), "msgtype": kind}
        for part in (header, {}, content):
            await self._socket.send_str(json.dumps(part))

    def check(self) -> None:
        """Raises what has ended the connection, if it has ended."""
        if self._reading is not None and self._reading.done():
            self._reading.result()

    async def close(self) -> None:
        """Leave."""
        if self._reading is not None:
            self._reading.cancel()
        if self._socket is not None:
            await self._socket.close()
        await self._http.close()


async def _page(answer: ClientResponse) -> Page:
    text = await answer.text()
    assert answer.ok, f"{answer.status} at {answer.url}: {text[:2000]}"
    return Page(url=str(answer.url), text=text)


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    """Whether it is set within so many seconds."""
    try:
        async with asyncio.timeout(max(0, seconds)):
            return await event.wait()
    except TimeoutError:
        return False


def has_outputs(page: Page) -> bool:
    """Whether a page of Voilà's brings the plot among what the notebook has shown."""
    return has_plot(page.text.replace('\\"', '"').replace('": "', '":"'))


def has_plot(document: str) -> bool:
    """Whether a document, as text, has a figure and data in it."""
    return all(f'"name":"{model}"' in document for model in ("Figure", "ColumnDataSource", "Line"))


def is_new_data(content: str) -> bool:
    """Whether a patch of the server's brings new data for a plot."""
    return '"ColumnDataChanged"' in content or '"attr":"data"' in content


def find_slider(document: str, title: str = "Window") -> str:
    """The id of the slider with this title."""
    for model in _objects(json.loads(document)):
        if "Slider" in model.get("name", "") and model["attributes"].get("title") == title:
            return model["id"]
    raise AssertionError(f"no slider {title}")


def _objects(part: object) -> Iterator[dict[str, Any]]:
    """All models of a document."""
    if isinstance(part, dict):
        if part.get("type") == "object" and "attributes" in part:
            yield part
        for value in part.values():
            yield from _objects(value)
    elif isinstance(part, list):
        for value in part:
            yield from _objects(value)
