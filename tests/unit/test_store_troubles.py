"""How an error of the database in the middle of a command is put into words."""

import asyncpg
import pytest

from dialer_engine.store.pool import interrupted

pytestmark = pytest.mark.unit

LOST, SLOW = "the connection to the database was lost", "the database did not answer in time"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (asyncpg.InterfaceError("connection is closed"), LOST),
        (asyncpg.InternalClientError("cannot switch to state 15"), LOST),
        (asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"), LOST),
        (ConnectionResetError(104, "Connection reset by peer"), LOST),
        (TimeoutError(), SLOW),
        (asyncpg.UndefinedTableError("relation does not exist"), "the database refused this (UndefinedTable"),
    ],
)
def test_each_error_has_its_words(
    error: asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError | OSError, words: str
) -> None:
    told = str(interrupted(error))
    assert told.startswith(words)
    assert "cannot connect" not in told
