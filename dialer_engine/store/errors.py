"""What can go wrong with the database, in words for the person who has to mend it."""


class StoreError(Exception):
    """The database cannot be used; the text says why and what to do."""


class StaleEpoch(StoreError):
    """A newer engine owns this campaign or attempt; nothing was written."""


class LeaseHeld(StoreError):
    """Another engine holds the lease and has not let it expire."""


class UnknownName(StoreError):
    """No Member, campaign, list or agent has this name."""
