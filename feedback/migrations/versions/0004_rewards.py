"""What reward models say of answers."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    op.create_index(op.f("ix_generation_created_at"), "generation", ["created_at"], unique=False)
    op.create_table(
        "candidate_reward",
        sa.Column("candidate_id", sa.String(), nullable=False),
        sa.Column("reward_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("since", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidate.id"], name=op.f("fk_candidate_reward_candidate_id")
        ),
        sa.ForeignKeyConstraint(
            ["reward_id"], ["version.id"], name=op.f("fk_candidate_reward_reward_id")
        ),
        sa.PrimaryKeyConstraint(
            "candidate_id", "reward_id", "name", name=op.f("pk_candidate_reward")
        ),
    )
    op.create_table(
        "wanted_reward",
        sa.Column("candidate_id", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidate.id"], name=op.f("fk_wanted_reward_candidate_id")
        ),
        sa.PrimaryKeyConstraint("candidate_id", name=op.f("pk_wanted_reward")),
    )


def downgrade() -> None:
    op.drop_table("wanted_reward")
    op.drop_table("candidate_reward")
    op.drop_index(op.f("ix_generation_created_at"), table_name="generation")
