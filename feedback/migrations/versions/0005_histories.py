"""Which answers a person's history lists; why a thumb."""

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    op.add_column(
        "generation", sa.Column("listed", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.execute("update generation set listed = consented")
    op.add_column("mark", sa.Column("comment", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("mark", "comment")
    op.drop_column("generation", "listed")
