"""The process that decodes, started by the serving process and ended with it: `python -m
server.decode.process DESCRIPTOR SETTINGS FORMAT`: a socket's, the server's section as JSON, and the
log lines'.

A process, because threads of one share a lock: what it takes to send a token to its reader would
keep the next one from being computed.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

import rankloop_logs

from ..settings import ServerSettings

SWITCH_S = 0.0002


def main(descriptor: int, settings: ServerSettings, log_format: rankloop_logs.Format) -> None:
    """Decodes for whoever holds the other end of the socket."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # Those are for the serving process, which lets running answers finish first.
        signal.signal(number, signal.SIG_IGN)
    rankloop_logs.begin(log_format, "decoder", "%(asctime)s %(name)s: %(message)s")
    import torch
    import transformers

    from .decoding import Decoding
    from .post import Post

    torch.set_num_threads(settings.threads)
    # A version that is being loaded beside runs much Python, and each operation of a step may wait
    # so long for its turn.
    sys.setswitchinterval(SWITCH_S)
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with socket.socket(fileno=descriptor) as end:
        Decoding(Post(end), settings).run()


if __name__ == "__main__":
    log = rankloop_logs.LogSettings.model_validate({"format": sys.argv[3]})
    main(int(sys.argv[1]), ServerSettings.model_validate_json(sys.argv[2]), log.format)
    # Nothing is left to tidy, and an ordinary exit takes a second to take torch apart.
    os._exit(0)
