"""A session that is no longer allowed ends, whatever else happens to it at the same moment."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import panel as pn
import pytest
from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.server.contexts import ApplicationContext
from bokeh.server.session import ServerSession
from panel.io.state import set_curdoc
from tornado.ioloop import IOLoop

from dashboards.health_data import CAUSES
from dashboards.live import callback_failure
from dashboards.live.session_process import end
from dashboards.web.session import why_ended
from hub_extensions.usage import failures


@pytest.fixture
async def context() -> ApplicationContext:
    application = Application(FunctionHandler(lambda _document: None))
    return ApplicationContext(application, io_loop=IOLoop.current(), url="/dashboard")


@pytest.fixture
async def session(context: ApplicationContext) -> ServerSession:
    return await context.create_session_if_needed("a session")


class Connection:
    """One browser's, as far as the end of a session has to do with it."""

    def __init__(self, session: Any) -> None:
        session.subscribe(self)


async def test_several_may_end_it_at_once(
    context: ApplicationContext, session: ServerSession
) -> None:
    Connection(session)
    ends = [end(context, session) for _ in range(3)]
    async with asyncio.timeout(5):
        await asyncio.gather(session.with_document_locked(asyncio.sleep, 0.05), *ends)
        await end(context, session)  # one that has ended
    assert session.destroyed
    assert not context.sessions


async def test_a_socket_that_is_opened_meanwhile_holds_nothing_up(
    context: ApplicationContext, session: ServerSession
) -> None:
    busy = asyncio.create_task(session.with_document_locked(asyncio.sleep, 0.05))
    await asyncio.sleep(0)
    session.block_expiration()
    ending = asyncio.create_task(end(context, session))
    await busy
    Connection(session)
    session.unblock_expiration()
    async with asyncio.timeout(5):
        await ending
    assert session.destroyed


async def test_a_callback_that_fails_after_the_end_is_noted_once(
    context: ApplicationContext, session: ServerSession, caplog: pytest.LogCaptureFixture
) -> None:
    """Panel runs at once what is told to a document without a session; its own failure would be
    told again, and so on."""
    callback_failure.install()
    document = session.document
    await end(context, session)
    with set_curdoc(document):
        pn.state._handle_exception(RuntimeError("its module is gone"))
    assert caplog.text.count("its module is gone") == 1


async def test_one_that_its_notebook_holds_does_not_stop_the_server(
    context: ApplicationContext, session: ServerSession
) -> None:
    session.block_expiration()  # as by `pn.state.block_expiration`
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(end(context, session), 0.3)
    session.unblock_expiration()
    await end(context, session)
    assert session.destroyed


@pytest.mark.parametrize(
    ("status", "cause", "words"),
    [
        (-signal.SIGKILL, "killed", "killed by SIGKILL, most likely for want of memory"),
        (-signal.SIGSEGV, "crashed", "crashed by SIGSEGV"),
        (-signal.SIGTERM, "ended", "ended by SIGTERM"),
        (-signal.SIGRTMIN - 1, "ended", "ended by signal 35"),
        (0, "exited", "ended the interpreter, with status 0"),
        (3, "exited", "ended the interpreter, with status 3"),
    ],
)
def test_how_a_process_ended_is_said_in_words(status: int, cause: str, words: str) -> None:
    why = why_ended("", status)
    assert (why.cause, words in str(why)) == (cause, True)


def test_every_cause_has_words() -> None:
    assert CAUSES.keys() == failures.CAUSES
    assert why_ended("no room", 0).cause in CAUSES
