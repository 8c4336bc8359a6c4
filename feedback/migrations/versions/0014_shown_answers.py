"""Answers to others' prompts that people were shown to judge them."""

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"


def upgrade() -> None:
    op.create_table(
        "shown_answer",
        sa.Column("candidate_id", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"],
            ["candidate.id"],
            name=op.f("fk_shown_answer_candidate_id_candidate"),
        ),
        sa.PrimaryKeyConstraint("candidate_id", "person", name=op.f("pk_shown_answer")),
    )
    op.create_index(op.f("ix_shown_answer_person"), "shown_answer", ["person"])


def downgrade() -> None:
    op.drop_table("shown_answer")
