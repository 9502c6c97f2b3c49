"""Reasons to reject a request. Each message is one sentence for the person who reads the page."""


class RequestRejected(Exception):  # noqa: N818 - a rejection is a response, not a failure
    """A request that the rules of a session do not allow."""


class InvalidRequest(RequestRejected):
    """The request's content is invalid."""


class UnknownToken(RequestRejected):
    """No session has this token: it is wrong, or the session was opened again elsewhere."""


class AlreadyTookPart(RequestRejected):
    """The person has a session of this study under another assignment."""

    def __init__(self) -> None:
        super().__init__("you have taken part in this study already; thank you")


class NotYours(RequestRejected):
    """The assignment belongs to another person."""

    def __init__(self) -> None:
        super().__init__("this link was opened by someone else before; please use your own")


class StudyFull(RequestRejected):
    """Every trial set of the study is taken."""

    def __init__(self) -> None:
        super().__init__("all places in this study are taken; thank you for your interest")


class TrialsMissing(RequestRejected):
    """The session cannot be finished yet; `missing` lists the indices of trials that are not stored."""

    def __init__(self, missing: list[int]) -> None:
        super().__init__(f"{len(missing)} answers have not arrived yet")
        self.missing = missing
