"""Exceptions inside moto: kept for the caller, and told to the client at once.

Stock moto answers with an HTML page and status 500. The AWS SDK of the CLI then tries seven times in 45 seconds, and
reports that the page is no XML.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from flask import Flask, Response, request
from moto.moto_server import threaded_moto_server, werkzeug_app
from werkzeug.exceptions import HTTPException


class StandInError(Exception):
    """Moto, or what is added to it here, did not do what it was asked for."""


class Crashes:
    """What went wrong inside moto since it was last asked for."""

    def __init__(self) -> None:
        self._found: list[str] = []

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Servers that are started meanwhile report here."""
        create = werkzeug_app.create_backend_app

        def create_watched(service: Any) -> Flask:
            app = create(service)
            app.register_error_handler(Exception, self._answer)
            return app

        with mock.patch.object(threaded_moto_server, "create_backend_app", create_watched):
            yield

    def add(self, error: BaseException) -> None:
        """Keep an exception that did not reach the server."""
        self._found.append("".join(traceback.format_exception(error)))

    def refuse(self) -> None:
        """Fail if anything went wrong.

        Raises
        ------
        StandInError
        """
        if self._found:
            text = "\n".join(self._found)
            self._found.clear()
            raise StandInError(f"inside the stand-in:\n{text}")

    def _answer(self, error: Exception) -> Any:
        if isinstance(error, HTTPException):  # an answer that moto means to give
            return error
        self.add(error)
        message = f"the stand-in crashed: {error!r}"
        if "X-Amz-Target" in request.headers:
            return Response(json.dumps({"__type": "StandInCrashed", "message": message}), 400)
        return Response(
            f"<ErrorResponse><Error><Code>StandInCrashed</Code><Message><![CDATA[{message}]]></Message></Error></ErrorResponse>",
            400,
            mimetype="text/xml",
        )
