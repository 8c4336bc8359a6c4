"""Who may sign in, how they begin, and who is signed in."""

from sqlalchemy import Float
from sqlmodel import Field

from ..columns import Json
from .row import Row


class Account(Row, table=True):
    """Somebody who may sign in; rows stay when that ends. `password` is what argon2id made of it;
    `subject` whom an OpenID provider means: its address and its name for them.
    """

    __tablename__ = "account"

    person: str = Field(primary_key=True)
    scopes: list[str] = Field(sa_type=Json)
    password: str | None = None
    subject: str | None = Field(default=None, unique=True)
    created_at: float = Field(sa_type=Float)
    ended_at: float | None = Field(default=None, sa_type=Float)


class Invitation(Row, table=True):
    """A link that is good once, to choose a password by. `digest` is the SHA-256 of its text."""

    __tablename__ = "invitation"

    id: str = Field(primary_key=True)
    person: str = Field(foreign_key="account.person", index=True)
    digest: str
    created_at: float = Field(sa_type=Float)
    expires_at: float = Field(sa_type=Float)
    used_at: float | None = Field(default=None, sa_type=Float)


class SignIn(Row, table=True):
    """A session, as long as it may be good. Without a person it is the owner's, and its `digest`
    that of its text and of the owner's key together.
    """

    __tablename__ = "sign_in"

    id: str = Field(primary_key=True)
    person: str | None = Field(default=None, foreign_key="account.person", index=True)
    digest: str
    way: str
    created_at: float = Field(sa_type=Float)
    expires_at: float = Field(sa_type=Float)
    last_used_at: float = Field(sa_type=Float)
