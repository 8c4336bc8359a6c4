"""What reward models say of answers; marks, and which round used them."""

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
    op.create_table(
        "mark",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("candidate_id", sa.String(), nullable=False),
        sa.Column("criterion", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("prompt_digest", sa.String(), nullable=False),
        sa.Column("consented", sa.Boolean(), nullable=False),
        sa.Column("supersedes", sa.Integer(), nullable=True),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("body_digest", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidate.id"], name=op.f("fk_mark_candidate_id")
        ),
        sa.ForeignKeyConstraint(["supersedes"], ["mark.id"], name=op.f("fk_mark_supersedes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mark")),
        sa.UniqueConstraint("id", "consented", name=op.f("uq_mark_id")),
        sa.UniqueConstraint("person", "idempotency_key", "criterion", name=op.f("uq_mark_person")),
        sa.UniqueConstraint("supersedes", name=op.f("uq_mark_supersedes")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_mark_person_candidate", "mark", ["person", "candidate_id", "criterion"], unique=False
    )
    op.create_table(
        "round_mark",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("mark_id", sa.Integer(), nullable=False),
        sa.Column("consented", sa.Boolean(), nullable=False),
        sa.CheckConstraint("consented", name=op.f("ck_round_mark_consented")),
        sa.ForeignKeyConstraint(
            ["mark_id", "consented"],
            ["mark.id", "mark.consented"],
            name=op.f("fk_round_mark_mark_id"),
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_round_mark_round_id")),
        sa.PrimaryKeyConstraint("round_id", "mark_id", name=op.f("pk_round_mark")),
    )
    op.create_index("ix_round_mark_mark", "round_mark", ["mark_id"], unique=False)


def downgrade() -> None:
    op.drop_table("round_mark")
    op.drop_table("mark")
    op.drop_table("wanted_reward")
    op.drop_table("candidate_reward")
    op.drop_index(op.f("ix_generation_created_at"), table_name="generation")
