"""What rankings, and items to rank, are about, where that is not the whole answer."""

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"


def upgrade() -> None:
    op.add_column("ranking", sa.Column("criterion", sa.String(), nullable=True))
    op.add_column("task", sa.Column("criterion", sa.String(), nullable=True))
    op.add_column("prompt", sa.Column("criteria", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("prompt", "criteria")
    op.drop_column("task", "criterion")
    op.drop_column("ranking", "criterion")
