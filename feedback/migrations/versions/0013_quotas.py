"""Requests per minute."""

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"


def upgrade() -> None:
    op.create_table(
        "quota_taken",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("second", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", "second", name=op.f("pk_quota_taken")),
    )
    op.create_index(op.f("ix_quota_taken_second"), "quota_taken", ["second"], unique=False)


def downgrade() -> None:
    op.drop_table("quota_taken")
