"""Versions in the shadow and on trial, pins, evidence, and rankings that are set aside."""

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"

BEFORE = "state in ('trained', 'verified', 'live', 'retired', 'rejected', 'failed')"
AFTER = (
    "state in ('trained', 'verified', 'shadow', 'canary', 'live', 'retired', 'rejected', 'failed')"
)


def upgrade() -> None:
    _states(BEFORE, AFTER)
    op.create_index(
        "ix_version_one_canary",
        "version",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'canary'"),
        postgresql_where=sa.text("state = 'canary'"),
    )
    op.add_column("version_event", sa.Column("evidence", sa.JSON(), nullable=True))
    op.add_column("live", sa.Column("pinned_by", sa.String(), nullable=True))
    _trials()
    _set_aside()


def _states(old: str, new: str) -> None:
    """Other states that the table allows. SQLite would have to copy the table, which others refer
    to; its documentation lets a check be rewritten in the schema instead.
    """
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.drop_constraint(op.f("ck_version_state"), "version", type_="check")
        op.create_check_constraint(op.f("ck_version_state"), "version", new)
        return
    schema = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.execute(
        sa.text("UPDATE sqlite_master SET sql = replace(sql, :old, :new) WHERE name = 'version'"),
        {"old": old, "new": new},
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {schema + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")


def _trials() -> None:
    op.create_table(
        "canary",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("live_id", sa.String(), nullable=False),
        sa.Column("share", sa.Float(), nullable=True),
        sa.Column("after_ranking", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["version_id"], ["version.id"], name=op.f("fk_canary_version_id")),
        sa.ForeignKeyConstraint(["live_id"], ["version.id"], name=op.f("fk_canary_live_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canary")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_canary_version_id"), "canary", ["version_id"], unique=False)
    op.create_table(
        "stopped",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["version.id"], name=op.f("fk_stopped_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stopped")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_stopped_version_id"), "stopped", ["version_id"], unique=False)


def _set_aside() -> None:
    op.create_table(
        "set_aside",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ranking_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("lifted_at", sa.Float(), nullable=True),
        sa.Column("lifted_by", sa.String(), nullable=True),
        sa.Column("lifted_reason", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ranking_id"], ["ranking.id"], name=op.f("fk_set_aside_ranking_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name=op.f("fk_set_aside_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_aside")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_set_aside_version_id"), "set_aside", ["version_id"], unique=False)
    op.create_index("ix_set_aside_ranking", "set_aside", ["ranking_id", "lifted_at"], unique=False)


def downgrade() -> None:
    for table in ("set_aside", "stopped", "canary"):
        op.drop_table(table)
    op.drop_column("live", "pinned_by")
    op.drop_column("version_event", "evidence")
    op.drop_index("ix_version_one_canary", "version")
    op.execute("UPDATE version SET state = 'verified' WHERE state IN ('shadow', 'canary')")
    _states(AFTER, BEFORE)
