"""What can go wrong with the database, in words for the person who has to mend it."""


class StoreError(Exception):
    """The database cannot be used; the text says why and what to do."""


class StaleEpoch(StoreError):
    """A newer engine owns this campaign or these attempts; nothing was written."""

    def __init__(self, words: str, attempts: frozenset[str] = frozenset()) -> None:
        super().__init__(words)
        self.attempts = attempts


class LeaseHeld(StoreError):
    """Another engine, `owner`, holds the lease and has not let it expire."""

    def __init__(self, message: str, owner: str) -> None:
        super().__init__(message)
        self.owner = owner


class UnknownName(StoreError):
    """No Member, campaign, list or agent has this name."""
