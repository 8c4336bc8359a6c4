"""What a round worked on, whole: weights of its rankings and its prompts; and which it repeats."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    weight = sa.Column("weight", sa.Float(), nullable=False, server_default=sa.text("1"))
    op.add_column("round_input", weight)
    op.add_column("round", sa.Column("repeat_of", sa.Integer(), nullable=True))
    op.add_column("round", sa.Column("without", sa.JSON(), nullable=True))
    op.create_table(
        "round_prompt",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("generation_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"], ["generation.id"], name=op.f("fk_round_prompt_generation_id")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_round_prompt_round_id")),
        sa.PrimaryKeyConstraint("round_id", "place", name=op.f("pk_round_prompt")),
    )
    op.create_index(
        op.f("ix_round_prompt_generation_id"), "round_prompt", ["generation_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("round_prompt")
    op.drop_column("round", "without")
    op.drop_column("round", "repeat_of")
    op.drop_column("round_input", "weight")
