"""The serving process: `python -m server`, or `rankloop server`.

A process that decodes is started before anything else is imported: what it imports takes longest.
Tensors are its own: to this process there is no torch, which transformers would import for seconds
to tokenise a text.
"""

from __future__ import annotations

import sys

from .decode.worker import Worker
from .settings import Settings


def main(settings: Settings) -> None:
    """Serves until told to stop, and ends the process."""
    worker: Worker | None = None
    if settings.server.sampler == "embedded":
        worker = Worker(settings.server, settings.log.format)
        worker.spawn()
    sys.modules["torch"] = None  # type: ignore[assignment]
    from .decode.samplers import sampler_of
    from .run import serve

    serve(settings, worker or sampler_of(settings))


if __name__ == "__main__":
    import rankloop

    sys.argv[:] = ["rankloop", "server", *sys.argv[1:]]
    rankloop.main()
