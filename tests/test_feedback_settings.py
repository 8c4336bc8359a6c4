"""feedback.settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from feedback.settings import DatabaseSettings


def test_without_an_address_the_database_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    """The default is data/rankloop.db, by its absolute path."""
    assert DatabaseSettings().resolve(tmp_path) == f"sqlite:///{tmp_path}/rankloop.db"


def test_a_set_address_is_used_as_it_is() -> None:
    """database.url wins over the data folder."""
    url = "postgresql://rankloop@db/rankloop"
    assert DatabaseSettings(url=url).resolve(Path("data")) == url


def test_an_unknown_name_is_refused() -> None:
    """A misspelt setting raises, with its name."""
    with pytest.raises(ValidationError, match="ulr"):
        DatabaseSettings.model_validate({"ulr": "sqlite:///x"})
