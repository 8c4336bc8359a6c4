"""Alembic's entry: runs the migrations on the connection, and in the transaction, that the store
gives it.
"""

from alembic import context

from feedback.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
