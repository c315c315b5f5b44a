"""What is tried again and again tells once that it began to fail, and once that it works again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from dialer_engine.store.line import AWAY

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Trouble:
    """The trouble that one user of the database has with it; `begins` and `over` are its words for the log.

    Without them a check that lacks a right or a function would be dead while dialing goes on, and nobody would know.
    """

    begins: str
    over: str
    present: bool = False

    @contextmanager
    def told(self) -> Iterator[None]:
        """Try once: what AWAY names is logged when it is new, and goes no further."""
        try:
            yield
        except AWAY as error:
            if not self.present:
                log.error(self.begins, why=str(error) or type(error).__name__)
            self.present = True
        else:
            if self.present:
                log.warning(self.over)
            self.present = False
