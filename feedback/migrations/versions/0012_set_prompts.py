"""Which prompts of imported sets a round could draw rollouts from."""

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"


def upgrade() -> None:
    op.create_table(
        "round_set_prompt",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("prompt_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"]),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"]),
        sa.PrimaryKeyConstraint("round_id", "prompt_id"),
    )
    op.create_index("ix_round_set_prompt_prompt_id", "round_set_prompt", ["prompt_id"])


def downgrade() -> None:
    op.drop_table("round_set_prompt")
