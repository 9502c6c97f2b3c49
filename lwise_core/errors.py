"""The one exception whose message is written for the person at the keyboard.

Every room raises it for bad input; the command line prints it as one line and ends with exit code 2.
"""


class InputError(ValueError):
    """Input that cannot be used: the message names the thing, the value found, what was expected and what to do."""
