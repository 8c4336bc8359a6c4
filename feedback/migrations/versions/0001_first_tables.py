"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None


def upgrade() -> None:
    op.create_table(
        "counter",
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_counter")),
    )
    op.create_table(
        "generation",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("consented", sa.Boolean(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("messages", sa.JSON(), nullable=False),
        sa.Column("prompt_ids", sa.LargeBinary(), nullable=False),
        sa.Column("prompt_digest", sa.String(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("template_hash", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.CheckConstraint("split in ('train', 'judge')", name=op.f("ck_generation_split")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generation")),
    )
    op.create_index(
        op.f("ix_generation_conversation_id"), "generation", ["conversation_id"], unique=False
    )
    op.create_index(op.f("ix_generation_person"), "generation", ["person"], unique=False)
    op.create_index(
        op.f("ix_generation_prompt_digest"), "generation", ["prompt_digest"], unique=False
    )
    op.create_index(op.f("ix_generation_version"), "generation", ["version"], unique=False)
    op.create_table(
        "learner",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("heartbeat_at", sa.Float(), nullable=True),
        sa.Column("next_run_at", sa.Float(), nullable=True),
        sa.Column("last_error", sa.JSON(), nullable=True),
        sa.Column("missing", sa.JSON(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("paused_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learner")),
    )
    op.create_table(
        "ranking",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.Column("consented", sa.Boolean(), nullable=False),
        sa.Column("comparable", sa.Boolean(), nullable=False),
        sa.Column("none_acceptable", sa.Boolean(), nullable=False),
        sa.Column("ratings", sa.JSON(), nullable=True),
        sa.Column("comment", sa.JSON(), nullable=True),
        sa.Column("task_id", sa.String(), nullable=True),
        sa.Column("candidates_digest", sa.String(), nullable=False),
        sa.Column("supersedes", sa.Integer(), nullable=True),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("body_digest", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["supersedes"], ["ranking.id"], name=op.f("fk_ranking_supersedes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ranking")),
        sa.UniqueConstraint("id", "consented", name=op.f("uq_ranking_id")),
        sa.UniqueConstraint("person", "idempotency_key", name=op.f("uq_ranking_person")),
        sa.UniqueConstraint("supersedes", name=op.f("uq_ranking_supersedes")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_ranking_person_candidates", "ranking", ["person", "candidates_digest"], unique=False
    )
    op.create_table(
        "round",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("stages", sa.JSON(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(), nullable=True),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=True),
        sa.Column("eta_s", sa.Float(), nullable=True),
        sa.Column("version_id", sa.String(), nullable=True),
        sa.Column("reward_id", sa.String(), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("reward", sa.JSON(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("cancelled_by", sa.String(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("claimed_at", sa.Float(), nullable=True),
        sa.Column("decided_at", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "state in ('queued', 'running', 'done', 'failed', 'cancelled')",
            name=op.f("ck_round_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_round_state"), "round", ["state"], unique=False)
    op.create_table(
        "candidate",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("generation_id", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("text", sa.JSON(), nullable=False),
        sa.Column("token_ids", sa.LargeBinary(), nullable=False),
        sa.Column("logps", sa.LargeBinary(), nullable=False),
        sa.Column("raw_logps", sa.LargeBinary(), nullable=False),
        sa.Column("finish_reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"], ["generation.id"], name=op.f("fk_candidate_generation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_candidate")),
        sa.UniqueConstraint("generation_id", "place", name=op.f("uq_candidate_generation_id")),
    )
    op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_lease_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lease")),
    )
    op.create_table(
        "metric",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_metric_round_id")),
        sa.PrimaryKeyConstraint("round_id", "stage", "step", name=op.f("pk_metric")),
    )
    op.create_table(
        "round_input",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("ranking_id", sa.Integer(), nullable=False),
        sa.Column("consented", sa.Boolean(), nullable=False),
        sa.CheckConstraint("consented", name=op.f("ck_round_input_consented")),
        sa.ForeignKeyConstraint(
            ["ranking_id", "consented"],
            ["ranking.id", "ranking.consented"],
            name=op.f("fk_round_input_ranking_id"),
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_round_input_round_id")),
        sa.PrimaryKeyConstraint("round_id", "ranking_id", name=op.f("pk_round_input")),
    )
    op.create_index("ix_round_input_ranking", "round_input", ["ranking_id"], unique=False)
    op.create_table(
        "version",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("reward_id", sa.String(), nullable=True),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.CheckConstraint(
            "kind in ('base', 'full', 'adapter', 'reward')", name=op.f("ck_version_kind")
        ),
        sa.CheckConstraint(
            "state in ('trained', 'verified', 'live', 'retired', 'rejected', 'failed')",
            name=op.f("ck_version_state"),
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_version_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_version")),
    )
    op.create_index(
        "ix_version_one_live",
        "version",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_index(op.f("ix_version_round_id"), "version", ["round_id"], unique=False)
    op.create_table(
        "waiting_ranking",
        sa.Column("ranking_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ranking_id"], ["ranking.id"], name=op.f("fk_waiting_ranking_ranking_id")
        ),
        sa.PrimaryKeyConstraint("ranking_id", name=op.f("pk_waiting_ranking")),
    )
    op.create_table(
        "live",
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("below", sa.Integer(), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["below"], ["live.epoch"], name=op.f("fk_live_below")),
        sa.ForeignKeyConstraint(["version_id"], ["version.id"], name=op.f("fk_live_version_id")),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_live")),
    )
    op.create_table(
        "ranked_candidate",
        sa.Column("ranking_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("candidate_id", sa.String(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.CheckConstraint("rank >= 1", name=op.f("ck_ranked_candidate_rank")),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidate.id"], name=op.f("fk_ranked_candidate_candidate_id")
        ),
        sa.ForeignKeyConstraint(
            ["ranking_id"], ["ranking.id"], name=op.f("fk_ranked_candidate_ranking_id")
        ),
        sa.PrimaryKeyConstraint("ranking_id", "place", name=op.f("pk_ranked_candidate")),
        sa.UniqueConstraint(
            "ranking_id", "candidate_id", name=op.f("uq_ranked_candidate_ranking_id")
        ),
    )
    op.create_index(
        op.f("ix_ranked_candidate_candidate_id"), "ranked_candidate", ["candidate_id"], unique=False
    )
    op.create_table(
        "version_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("from_state", sa.String(), nullable=False),
        sa.Column("to_state", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name=op.f("fk_version_event_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_version_event")),
    )
    op.create_index(
        op.f("ix_version_event_version_id"), "version_event", ["version_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("version_event")
    op.drop_table("ranked_candidate")
    op.drop_table("live")
    op.drop_table("waiting_ranking")
    op.drop_table("version")
    op.drop_table("round_input")
    op.drop_table("metric")
    op.drop_table("lease")
    op.drop_table("candidate")
    op.drop_table("round")
    op.drop_table("ranking")
    op.drop_table("learner")
    op.drop_table("generation")
    op.drop_table("counter")
