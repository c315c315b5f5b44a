"""What can go wrong with an ARI command or connection."""


class AriError(Exception):
    """Asterisk cannot be reached or used; the text names the place and the remedy."""


class AriTimeout(AriError):
    """No reply within the time-out: whether the command was carried out is not known."""


class AriLinkLost(AriError):
    """The connection is down, or went down before the reply: the outcome of a sent command is unknown."""


class AriRefused(AriError):
    """Asterisk answered with an error: `status` is the HTTP status, `reason` its words."""

    def __init__(self, status: int, reason: str, command: str = "") -> None:
        super().__init__(f"Asterisk refused {command or 'the command'}: {status} {reason}")
        self.status = status
        self.reason = reason
