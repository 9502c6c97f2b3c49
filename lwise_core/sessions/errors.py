"""What can be wrong with a request. Each message is one sentence for the person who reads the page."""


class RequestRefused(Exception):  # noqa: N818 - a refusal is an answer, not a failure
    """A request that the rules of a session do not allow."""


class InvalidRequest(RequestRefused):
    """The request's content is not what was expected."""


class UnknownToken(RequestRefused):
    """No session has this token: it is wrong, or the session was opened again elsewhere."""


class AlreadyTookPart(RequestRefused):
    """The person has a session of this study under another assignment."""

    def __init__(self) -> None:
        super().__init__("you have taken part in this study already; thank you")


class NotYours(RequestRefused):
    """The assignment was opened by another person."""

    def __init__(self) -> None:
        super().__init__("this link was opened by someone else before; please use your own")


class StudyFull(RequestRefused):
    """Every trial set of the study is taken."""

    def __init__(self) -> None:
        super().__init__("all places in this study are taken; thank you for your interest")


class TrialsMissing(RequestRefused):
    """The session cannot be finished yet; `missing` lists the indices of trials that are not stored."""

    def __init__(self, missing: list[int]) -> None:
        super().__init__(f"{len(missing)} answers have not arrived yet")
        self.missing = missing
