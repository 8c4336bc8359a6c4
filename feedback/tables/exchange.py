"""What came from files, and what people allow."""

from sqlalchemy import Float, Index
from sqlmodel import Field

from .row import Row


class ImportedLine(Row, table=True):
    """A line that was imported, by a digest of what it says: it is not imported again."""

    __tablename__ = "imported_line"

    digest: str = Field(primary_key=True)
    format: str
    at: float = Field(sa_type=Float)


class Consent(Row, table=True):
    """A person's word on learning from what they say; the last one counts. `text_version` names the
    text that they were asked by.
    """

    __tablename__ = "consent"
    __table_args__ = (
        Index("ix_consent_person", "person", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    person: str
    text_version: str
    given: bool
    at: float = Field(sa_type=Float)
