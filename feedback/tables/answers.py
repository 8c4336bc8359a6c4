"""What was asked and answered."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Float, UniqueConstraint
from sqlmodel import Field

from ..columns import Float32s, Int32s, Json
from .row import Row


class Generation(Row, table=True):
    """`prompt_digest` is one for all generations that answer the same messages with the same token
    ids. `listed`: the person's history shows it. `deleted_at`: its person took it back, and its
    words and tokens are gone.
    """

    __tablename__ = "generation"
    __table_args__ = (CheckConstraint("split in ('train', 'judge')", name="split"),)

    id: str = Field(primary_key=True)
    conversation_id: str = Field(index=True)
    person: str = Field(index=True)
    consented: bool
    listed: bool = True
    split: str
    version: str = Field(index=True)
    digest: str
    messages: list[list[str]] = Field(sa_type=Json)
    prompt_ids: tuple[int, ...] = Field(sa_type=Int32s)
    prompt_digest: str = Field(index=True)
    params: dict[str, Any] = Field(sa_type=Json)
    seed: int = Field(sa_type=BigInteger)
    template_hash: str
    created_at: float = Field(sa_type=Float, index=True)
    deleted_at: float | None = Field(default=None, sa_type=Float)


class Candidate(Row, table=True):
    __tablename__ = "candidate"
    __table_args__ = (UniqueConstraint("generation_id", "place"),)

    id: str = Field(primary_key=True)
    generation_id: str = Field(foreign_key="generation.id")
    place: int
    text: str = Field(sa_type=Json)
    token_ids: tuple[int, ...] = Field(sa_type=Int32s)
    logps: tuple[float, ...] = Field(sa_type=Float32s)
    raw_logps: tuple[float, ...] = Field(sa_type=Float32s)
    finish_reason: str
