"""Answers of an item that are chosen among more, by what each head of a reward model says."""

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"


def upgrade() -> None:
    op.add_column("candidate_reward", sa.Column("by_head", sa.LargeBinary(), nullable=True))
    op.add_column("task", sa.Column("shows", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_task_shows"), "task", ["shows"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_task_shows"), "task")
    op.drop_column("task", "shows")
    op.drop_column("candidate_reward", "by_head")
