"""What can go wrong with a file of contacts, in words for the person who brought it."""

from dialer_engine.store.errors import StoreError


class ContactsError(StoreError):
    """The file cannot be taken in; nothing was changed."""
