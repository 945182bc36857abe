"""Log lines keep their order, wait where they may, and never wait where something is wrong."""

import asyncio
import io

import structlog

from gateway.web.loglines import HELD_LINES, HELD_SECONDS, LogLines, to_json


async def test_info_line_waits_and_is_written_soon() -> None:
    stream = io.StringIO()
    lines = LogLines(stream)
    lines.info("a")
    assert stream.getvalue() == ""
    await asyncio.sleep(HELD_SECONDS * 2)
    assert stream.getvalue() == "a\n"


async def test_warning_is_written_at_once_after_what_waits() -> None:
    stream = io.StringIO()
    lines = LogLines(stream)
    lines.info("a")
    lines.warning("b")
    assert stream.getvalue() == "a\nb\n"


def test_info_line_is_written_at_once_without_a_loop() -> None:
    stream = io.StringIO()
    LogLines(stream).info("a")
    assert stream.getvalue() == "a\n"


async def test_what_waits_is_bounded() -> None:
    stream = io.StringIO()
    lines = LogLines(stream)
    for number in range(HELD_LINES):
        lines.info(str(number))
    assert stream.getvalue().count("\n") == HELD_LINES


async def test_second_wait_begins_after_the_first_is_over() -> None:
    stream = io.StringIO()
    lines = LogLines(stream)
    for word in ("a", "b"):
        lines.info(word)
        await asyncio.sleep(HELD_SECONDS * 2)
    assert stream.getvalue() == "a\nb\n"


def test_closed_stream_stops_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    LogLines(stream).error("a")


def test_structlog_writes_one_json_object_a_line() -> None:
    stream = io.StringIO()
    logger = structlog.wrap_logger(
        LogLines(stream),
        processors=[structlog.processors.JSONRenderer(serializer=to_json)],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    )
    logger.info("request", status=200, what=object)
    logger.error("fault")
    assert stream.getvalue().startswith('{"status":200,"what":"<class \'object\'>","event":"request"}\n')
