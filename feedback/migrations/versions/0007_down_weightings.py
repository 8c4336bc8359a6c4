"""Which rankings a round counted for less, and why."""

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"


def upgrade() -> None:
    op.create_table(
        "down_weighting",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("ranking_id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.CheckConstraint("weight >= 0 and weight < 1", name=op.f("ck_down_weighting_weight")),
        sa.ForeignKeyConstraint(
            ["round_id", "ranking_id"],
            ["round_input.round_id", "round_input.ranking_id"],
            name=op.f("fk_down_weighting_round_id"),
        ),
        sa.PrimaryKeyConstraint("round_id", "ranking_id", name=op.f("pk_down_weighting")),
    )
    op.create_index(op.f("ix_down_weighting_person"), "down_weighting", ["person"], unique=False)


def downgrade() -> None:
    op.drop_table("down_weighting")
