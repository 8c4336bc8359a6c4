"""Versions whose files are gone; a learner that stands still; how long a lease was given for."""

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"


def upgrade() -> None:
    op.add_column("version", sa.Column("pruned_at", sa.Float(), nullable=True))
    op.add_column("learner", sa.Column("still_s", sa.Float(), nullable=True))
    op.add_column("lease", sa.Column("ttl_s", sa.Float(), nullable=False, server_default="30"))


def downgrade() -> None:
    op.drop_column("lease", "ttl_s")
    op.drop_column("learner", "still_s")
    op.drop_column("version", "pruned_at")
