"""Tells a trunk that is at fault from a number that is: who is refused while others get through?

A carrier may use one code for both: 403 says "your account" to one caller and "not this number" to another. A
contact that meets a fault is never charged and soon due again, but one that is refused again and again while the
same trunk takes others in between waits longer each time, and at last the refusal is its number's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 900.0
TIMES = 8
"""Refusals in a row, each with a success of others since the one before, after which it is the number."""
REMEMBERED = 10_000


@dataclass(slots=True)
class RefusedContacts:
    """Contacts that one trunk refused, with how often and at which of its successes the last time was."""

    successes: int = 0
    _seen: dict[int, tuple[int, int]] = field(default_factory=dict)

    def is_number(self, contact: int) -> bool:
        """Return whether a further refusal of this contact is its number's fault."""
        count, at = self._seen.get(contact, (0, self.successes))
        return count >= TIMES - 1 and self.successes > at

    def refused(self, contact: int) -> float:
        """Note a refusal and return the seconds after which the contact is due again."""
        count, at = self._seen.pop(contact, (0, self.successes))
        if count == 0 or self.successes > at:
            count += 1
        self._seen[contact] = (count, self.successes)
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return float(min(LONGEST_DELAY_S, FIRST_DELAY_S * 4.0 ** (count - 1)))

    def handled(self, contact: int) -> None:
        """The carrier begins to handle a call to this contact."""
        self.successes += 1
        self._seen.pop(contact, None)
