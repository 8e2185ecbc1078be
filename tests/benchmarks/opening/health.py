"""Asks one address every 50 ms, and tells how long each answer took.

A process of its own, so that nobody else's work counts. Each question is asked when it is due,
whether the one before has been answered or not: a server that hangs is seen for as long as it does.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from tests.hub import ROOT

EVERY: Final = 0.05
#: Seconds; an answer that fails counts as one that took so long.
LONGEST: Final = 60.0


@contextmanager
def probe(url: str) -> Iterator[list[float]]:
    """Ask while the body runs. What it gives is filled with seconds when the body has ended."""
    found: list[float] = []
    with subprocess.Popen(
        [sys.executable, "-m", __spec__.name, url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is for the benchmark, which ends it
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdout.readline()  # it has begun
            yield found
            process.stdin.close()
            found += json.loads(process.stdout.read())
        finally:
            process.kill()


async def main(url: str) -> list[float]:
    """Ask until standard input ends."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    async with ClientSession(
        connector=TCPConnector(limit=0), timeout=ClientTimeout(total=LONGEST)
    ) as http:
        await _ask(http, url)
        print(flush=True)
        asked, due = [], loop.time()
        while not ended.is_set():
            asked.append(loop.create_task(_ask(http, url)))
            due += EVERY
            await asyncio.sleep(due - loop.time())
        return await asyncio.gather(*asked)


async def _ask(http: ClientSession, url: str) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with http.get(url) as answer:
            await answer.read()
            answer.raise_for_status()
    except (ClientError, TimeoutError):
        return LONGEST
    return loop.time() - began


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1]))))
