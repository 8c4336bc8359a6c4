"""The labelling queue, and how a ranking came about."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"

TOLD: dict[str, sa.types.TypeEngine[Any]] = {
    "shown": sa.JSON(),
    "blind": sa.Boolean(),
    "seconds": sa.Float(),
    "input": sa.String(),
    "guidelines": sa.String(),
}


def upgrade() -> None:
    _prompts()
    _tasks()
    _leases()
    for name, kind in TOLD.items():
        op.add_column("ranking", sa.Column(name, kind, nullable=True))


def _prompts() -> None:
    op.create_table(
        "prompt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("set_name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("messages", sa.JSON(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompt")),
        sa.UniqueConstraint("set_name", "digest", name=op.f("uq_prompt_set_name")),
        sqlite_autoincrement=True,
    )


def _tasks() -> None:
    op.create_table(
        "task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("prompt_id", sa.Integer(), nullable=True),
        sa.Column("prompt_digest", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("repeat_of", sa.Integer(), nullable=True),
        sa.Column("person", sa.String(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.CheckConstraint("kind in ('normal', 'gold', 'repeat')", name=op.f("ck_task_kind")),
        sa.CheckConstraint(
            "(kind = 'repeat') = (repeat_of is not null)", name=op.f("ck_task_repeat_of")
        ),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"], name=op.f("fk_task_prompt_id")),
        sa.ForeignKeyConstraint(["repeat_of"], ["task.id"], name=op.f("fk_task_repeat_of")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("repeat_of", "person", name=op.f("uq_task_repeat_of")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_task_kind_closed", "task", ["kind", "closed"], unique=False)
    op.create_index(op.f("ix_task_prompt_id"), "task", ["prompt_id"], unique=False)
    op.create_index("ix_task_prompt_version", "task", ["prompt_digest", "version"], unique=False)
    op.create_table(
        "task_candidate",
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("candidate_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_candidate_task_id")),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidate.id"], name=op.f("fk_task_candidate_candidate_id")
        ),
        sa.PrimaryKeyConstraint("task_id", "place", name=op.f("pk_task_candidate")),
    )
    op.create_index(
        op.f("ix_task_candidate_candidate_id"), "task_candidate", ["candidate_id"], unique=False
    )
    op.create_table(
        "gold_rank",
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("candidate_id", sa.String(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.CheckConstraint("rank >= 1", name=op.f("ck_gold_rank_rank")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_gold_rank_task_id")),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidate.id"], name=op.f("fk_gold_rank_candidate_id")
        ),
        sa.PrimaryKeyConstraint("task_id", "candidate_id", name=op.f("pk_gold_rank")),
    )


def _leases() -> None:
    op.create_table(
        "task_lease",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("issued_at", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.Column("done_at", sa.Float(), nullable=True),
        sa.Column("ranking_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_lease_task_id")),
        sa.ForeignKeyConstraint(
            ["ranking_id"], ["ranking.id"], name=op.f("fk_task_lease_ranking_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_lease")),
        sa.UniqueConstraint("task_id", "person", name=op.f("uq_task_lease_task_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_task_lease_person", "task_lease", ["person", "done_at"], unique=False)
    op.create_table(
        "task_skip",
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_skip_task_id")),
        sa.PrimaryKeyConstraint("task_id", "person", name=op.f("pk_task_skip")),
    )


def downgrade() -> None:
    for name in reversed(TOLD):
        op.drop_column("ranking", name)
    for name in ("task_skip", "task_lease", "gold_rank", "task_candidate", "task", "prompt"):
        op.drop_table(name)
