"""What is said about a database's address never holds a password, however the address was written."""

import asyncio

import asyncpg
import pytest

from dialer_engine.settings.models import DatabaseSettings
from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import connect, explain, open_pool, place

pytestmark = pytest.mark.unit

SECRET = "s3cr3t"
ADDRESSES = (
    f"postgresql://dialer:{SECRET}@127.0.0.1:1/dialer",
    f"postgresql://dialer:{SECRET}@/dialer?host=/nowhere&port=1",
    f"postgresql://127.0.0.1:1/dialer?user=dialer&password={SECRET}",
    f"postgresql://dialer:{SECRET}/x@127.0.0.1:1/dialer",
    f"postgresql://dialer:x/{SECRET}@127.0.0.1:1/dialer",
    f"postgresql://dialer:{SECRET}@x@127.0.0.1:1/dialer",
    f"postgresql://dialer:{SECRET}#x@127.0.0.1:1/dialer",
    f"postgresql://dialer:{SECRET}?x@127.0.0.1:1/dialer",
    f"postgresql://dialer:{SECRET}%zz@127.0.0.1:1/dialer",
    f"postgresql://dialer:[{SECRET}@127.0.0.1:1/dialer",
    f"postgresql://dialer:x@127.0.0.1:{SECRET}/dialer",
    f"postgresql://dialer:{SECRET}@127.0.0.1:1/dialer?sslmode={SECRET}",
    f"postgresql://dialer:{SECRET}",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_failed_connection_does_not_quote_the_password(address: str) -> None:
    for opening in (connect, lambda url: open_pool(url, 1)):
        with pytest.raises(StoreError) as raised:
            asyncio.run(opening(address))
        assert SECRET not in str(raised.value)
        assert str(raised.value).count(" ") > 3, "it says something"


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_kind_of_error_quotes_it(address: str) -> None:
    for error in (
        ValueError(f"invalid literal for int() with base 10: '{SECRET}'"),
        asyncpg.ClientConfigurationError(f"invalid DSN: {SECRET}"),
        asyncpg.InvalidPasswordError("password authentication failed"),
        TimeoutError(),
        ConnectionRefusedError(111, "refused"),
    ):
        assert SECRET not in str(explain(error, address))


def test_the_place_is_named() -> None:
    assert place(ADDRESSES[0]) == "postgresql://127.0.0.1:1/dialer"
    assert place(ADDRESSES[1]) == "postgresql:///dialer?host=/nowhere&port=1"


def test_settings_do_not_show_it() -> None:
    made = DatabaseSettings(url=ADDRESSES[0], engine_url=ADDRESSES[0])
    assert SECRET not in repr(made)
