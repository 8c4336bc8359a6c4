"""What came from files, what people allow, what they took back, and what rounds left out."""

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"

DELETABLE = ("generation", "ranking", "mark", "demonstration")


def upgrade() -> None:
    for table in DELETABLE:
        op.add_column(table, sa.Column("deleted_at", sa.Float(), nullable=True))
    op.create_table(
        "imported_line",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_imported_line")),
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("text_version", sa.String(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_consent_person", "consent", ["person", "id"], unique=False)
    op.create_table(
        "left_out",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("row_id", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind in ('ranking', 'mark', 'demonstration')", name=op.f("ck_left_out_kind")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_left_out_round_id")),
        sa.PrimaryKeyConstraint("round_id", "kind", "row_id", name=op.f("pk_left_out")),
    )
    op.create_index("ix_left_out_row", "left_out", ["kind", "row_id"], unique=False)


def downgrade() -> None:
    op.drop_table("left_out")
    op.drop_table("consent")
    op.drop_table("imported_line")
    for table in DELETABLE:
        op.drop_column(table, "deleted_at")
