"""The UI process: `rankloop ui`, or `python -m ui` with the same flags."""

from __future__ import annotations

import asyncio
import logging
import sys

import rankloop_logs
from ui.access import Settings, server_url

log = logging.getLogger("rankloop.ui")

# Seconds that open streams get to end before the process does.
GOODBYE_S = 3


def main(settings: Settings) -> None:
    """Serve the page until SIGTERM or SIGINT."""
    import uvicorn
    from uvicorn.config import LOGGING_CONFIG

    from ui.app import create_app

    rankloop_logs.begin(settings.log.format, "ui", plain="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    log.info("the page calls the API at %s", server_url(settings))
    uvicorn.run(
        create_app(settings),
        host=settings.ui.host,
        port=settings.ui.port,
        log_level="warning",
        # uvicorn's own handlers write plain lines.
        log_config=LOGGING_CONFIG if settings.log.format == "plain" else None,
        timeout_graceful_shutdown=GOODBYE_S,
    )


def _is_news(record: logging.LogRecord) -> bool:
    """False for the streams of open pages, which are cut when the process ends."""
    error = record.exc_info[1] if record.exc_info else None
    cut = isinstance(error, asyncio.CancelledError) or "graceful shutdown" in record.getMessage()
    return not cut


if __name__ == "__main__":
    from rankloop import main as rankloop_main

    rankloop_main(["ui", *sys.argv[1:]])
