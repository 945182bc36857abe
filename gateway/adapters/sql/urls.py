"""The two kinds of database URL, told apart in one place. A URL may hold a password: it is never logged or raised."""

from gateway.errors import SettingsError

_SQLITE = ("sqlite:///", "sqlite+aiosqlite:///", "sqlite+pysqlite:///")
_POSTGRES = ("postgresql+psycopg://", "postgresql://")


def sqlite_path(url: str) -> str | None:
    """The file of a SQLite URL; None for PostgreSQL. Raises SettingsError for any other URL, or one without a file."""
    for prefix in _SQLITE:
        if url.startswith(prefix):
            path = url.removeprefix(prefix).partition("?")[0]
            if not path or path == ":memory:":
                raise SettingsError("the database must be a file: sqlite:////folder/index.db", field=("database_url",))
            return path
    if url.startswith(_POSTGRES):
        return None
    raise SettingsError("neither sqlite:/// nor postgresql+psycopg://", field=("database_url",))


def postgres_conninfo(url: str) -> str:
    """The URL as libpq wants it."""
    return "postgresql://" + url.partition("://")[2]


def postgres_engine_url(url: str) -> str:
    """The URL as SQLAlchemy wants it, with the psycopg driver."""
    return "postgresql+psycopg://" + url.partition("://")[2]
