"""Marks and demonstrations that were more than their person may teach."""

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"


def upgrade() -> None:
    op.add_column("left_out", sa.Column("reason", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("left_out", "reason")
