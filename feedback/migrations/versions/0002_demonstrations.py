"""Demonstrations, and which round used them."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    op.create_table(
        "demonstration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.Column("consented", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("messages", sa.JSON(), nullable=False),
        sa.Column("candidate_id", sa.String(), nullable=True),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("body_digest", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.CheckConstraint("split in ('train', 'judge')", name=op.f("ck_demonstration_split")),
        sa.CheckConstraint(
            "source in ('written', 'edited', 'both_sides', 'imported')",
            name=op.f("ck_demonstration_source"),
        ),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidate.id"], name=op.f("fk_demonstration_candidate_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_demonstration")),
        sa.UniqueConstraint("id", "consented", name=op.f("uq_demonstration_id")),
        sa.UniqueConstraint("person", "idempotency_key", name=op.f("uq_demonstration_person")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "round_demonstration",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("demonstration_id", sa.Integer(), nullable=False),
        sa.Column("consented", sa.Boolean(), nullable=False),
        sa.CheckConstraint("consented", name=op.f("ck_round_demonstration_consented")),
        sa.ForeignKeyConstraint(
            ["demonstration_id", "consented"],
            ["demonstration.id", "demonstration.consented"],
            name=op.f("fk_round_demonstration_demonstration_id"),
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_round_demonstration_round_id")
        ),
        sa.PrimaryKeyConstraint(
            "round_id", "demonstration_id", name=op.f("pk_round_demonstration")
        ),
    )
    op.create_index(
        "ix_round_demonstration_demonstration",
        "round_demonstration",
        ["demonstration_id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_table("round_demonstration")
    op.drop_table("demonstration")
