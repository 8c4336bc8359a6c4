"""The server lets go of old words that nobody judged."""

from __future__ import annotations

from pathlib import Path

from feedback.errors import NotFound
from feedback.settings import FeedbackSettings
from feedback.store import Store
from tests.feedback_databases import a_generation
from tests.server_running import eventually, running, settings_for
from tests.tiny_models import make_tiny


def test_it_looks_by_itself(tmp_path: Path) -> None:
    """Soon after the start, where `feedback.keep_days` is set; the answer is from 1970."""
    settings = settings_for(tmp_path / "data", make_tiny(tmp_path / "model"))
    settings = settings.model_copy(update={"feedback": FeedbackSettings(keep_days=1)})
    store = Store.open(settings.database.resolve(settings.data))
    store.record_generation(a_generation())
    with running(settings):
        eventually(lambda: _gone(store))
    store.close()


def _gone(store: Store) -> bool:
    try:
        store.generation("c1")
    except NotFound:
        return True
    return False
