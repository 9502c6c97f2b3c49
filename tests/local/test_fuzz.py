"""Thousands of requests that no page would send: each gets a response, nothing breaks, only valid data are stored.

Requests are drawn from a seeded source and written to the socket as bytes, for a client library would put them right.
Each draw says what it expects: `VALID` (answered with success), `REFUSED` (with 4xx), or `EITHER`, where chance decides
whether it is a request at all; then success and 4xx are both right, and what succeeded is expected in the store.
"""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from random import Random
from typing import Any

import httpx
import pytest

from lwise_core.local.server import open_records
from lwise_core.sessions.api import MAX_BODY_BYTES
from tests.local.conftest import Server
from tests.sessions.conftest import answer

_N_REQUESTS = 20_000
_N_TRIALS = 11
_N_SESSIONS = 12
_VALID, _REFUSED, _EITHER = "valid", "refused", "either"
_CALLS = ("sessions", "trials", "screening", "finish", "heartbeat", "problems", "contact")
_PROBLEM = {"kind": "page_error", "message": "größer 😀", "trial_index": None}
_CONTROL = {"platform": "prolific", "assignment_id": "control", "worker_id": "control", "study_id": None}


@dataclass(frozen=True)
class Drawn:
    """A request as bytes, and what is expected of it. `ends` says that nothing follows on this connection."""

    raw: bytes
    expected: str
    ends: bool = False
    session: tuple[str, str] | None = None
    answers: tuple[str, list[dict[str, Any]]] | None = None


@dataclass
class Ledger:
    """What the store should hold: by assignment its platform, by token of a session the answers by index."""

    platform_of: dict[str, str] = field(default_factory=dict)
    answers_of: dict[str, dict[int, float]] = field(default_factory=dict)

    def note(self, drawn: Drawn) -> None:
        if drawn.session is not None:
            platform, assignment = drawn.session
            self.platform_of[assignment] = platform
        if drawn.answers is not None:
            token, answers = drawn.answers
            for one in answers:
                self.answers_of[token].setdefault(one["index"], one["reaction_time_msec"])


class _Connection:
    """A connection that is reused until the server closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def send(self, drawn: Drawn) -> int | None:
        """The status of the answer; None if the server hung up on a request that was not whole."""
        try:
            return self._send(drawn)
        except (HTTPException, ConnectionError):
            self.close()
            if drawn.ends:
                return None
            # A kept connection may be closed by the server just when it is used again.
            return self._send(drawn)

    def _send(self, drawn: Drawn) -> int:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(drawn.raw)
        if drawn.ends:
            # The server may have hung up already.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        answered = HTTPResponse(self._socket, method=drawn.raw.partition(b" ")[0].decode("latin-1"))
        answered.begin()
        answered.read()
        if drawn.ends or answered.will_close:
            self.close()
        return answered.status

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


class _Draw:
    """Draws requests. `tokens` are those of sessions that valid answers go to."""

    def __init__(self, chance: Random, tokens: list[str], pictures: list[str]) -> None:
        self._chance = chance
        self._tokens = tokens
        self._pictures = pictures
        self._number = 0

    def __iter__(self) -> Iterator[Drawn]:
        kinds: list[tuple[Callable[[], Drawn], int]] = [
            (self._valid_start, 1),
            (self._valid_answers, 3),
            (self._other_valid, 3),
            (self._wrong_start, 6),
            (self._wrong_answers, 12),
            (self._any_json, 8),
            (self._no_json, 5),
            (self._odd_key, 6),
            (self._odd_path, 6),
            (self._odd_method, 3),
            (self._odd_headers, 4),
            (self._cut_off, 2),
            (self._no_http, 1),
        ]
        draws, weights = zip(*kinds, strict=True)
        while True:
            self._number += 1
            (draw,) = self._chance.choices(draws, weights)
            yield draw()

    # --- what is right

    def _valid_start(self) -> Drawn:
        """Of a new session, or of an earlier one that is opened again; with keys that nobody asked for."""
        number = self._number if self._chance.random() < 0.5 else self._chance.randrange(1, self._number + 1)
        platform = ("test", "fuzz")[number % 2]
        ids = {"platform": platform, "assignment_id": f"fuzz {number} é😀", "worker_id": None, "study_id": "s" * 200}
        body = {**ids, "trialset_id": number if platform == "test" else self._value(), self._text(): self._value()}
        # A drawn key may be one of those asked for, but only with its own value.
        return self._post("sessions", _json({**body, **ids}), _VALID, session=(platform, str(ids["assignment_id"])))

    def _valid_answers(self) -> Drawn:
        token = self._pick(self._tokens)
        answers = [self._answer() for _ in range(self._chance.choice([1, 1, 2, 5, 50]))]
        return self._post(
            "trials", _json({"trials": answers, "token": self._value()}), _VALID, token=token, answers=(token, answers)
        )

    def _other_valid(self) -> Drawn:
        """Pages and pictures; a kind of content that is said to be another; the same text in another encoding."""
        token = self._pick(self._tokens)
        spaces = self._pick([b"", b" ", b"\r\n\t"]) * self._chance.randrange(50)
        valid: Drawn = self._pick(
            [
                _request("GET", self._pick(["/", "/index.html", "/assets/page-1a2b.js", "/healthz"]), _VALID),
                _request("HEAD", f"/stimuli/{self._pick(self._pictures)}", _VALID),
                _request("GET", f"/stimuli/{self._pick(self._pictures)}?{self._escapes()}", _VALID),
                self._post("screening", spaces + b"{}" + spaces, _VALID, token=token),
                self._post("screening", '{"a": 1, "a": "é"}'.encode("utf-16"), _VALID, token=token),
                self._post("screening", b"{}", _VALID, token=token, content_type=self._pick(_CONTENT_TYPES)),
                self._post("heartbeat", _json({self._text(): self._value()}), _VALID, token=token),
                self._post(
                    "problems", _json({**_PROBLEM, self._text(): self._value(), **_PROBLEM}), _VALID, token=token
                ),
            ]
        )
        return valid

    def _answer(self) -> dict[str, Any]:
        """A valid answer to any trial, with a unique reaction time."""
        index = self._chance.randrange(_N_TRIALS)
        time = self._number + self._chance.random()
        return answer(index, i_choice=self._pick([0, 1, 2, None]), reaction_time_msec=time, perf=1)

    # --- what is wrong in one place

    def _wrong_start(self) -> Drawn:
        ids: dict[str, Any] = {"platform": "fuzz", "assignment_id": f"wrong {self._number}", "worker_id": None}
        name, wrong = self._pick(_WRONG_IDS)
        if name == "trialset_id":
            ids["platform"] = "test"
        return self._post("sessions", _json({**ids, name: wrong}), _REFUSED)

    def _wrong_answers(self) -> Drawn:
        """One invalid value among valid answers: nothing of the request is stored."""
        answers: list[Any] = [self._answer() for _ in range(self._chance.choice([1, 1, 2, 50]))]
        place = self._chance.randrange(len(answers))
        name, wrong = self._pick(_WRONG_FIELDS)
        if name in answers[place]:
            answers[place] = {**answers[place], name: wrong}
        elif part := next((part for part in _PARTS if name in answers[place][part]), None):
            answers[place] = {**answers[place], part: {**answers[place][part], name: wrong}}
        else:
            answers = wrong
        return self._post("trials", _json({"trials": answers}), _REFUSED, token=self._pick(self._tokens))

    def _odd_key(self) -> Drawn:
        """Right answers without the right key."""
        token = self._pick(self._tokens)
        other = [
            token[:-1],
            token + token,
            token[::-1],
            "",
            "x" * 60_000,
            "\xff\xfe",
            self._text(),
            token + "\t" + token,
        ]
        odd = [
            f"Bearer {self._pick(other)}",
            f"bearer {token}",
            f"Basic {token}",
            token,
            f"Bearer\t{token}",
            "Bearer",
            "",
        ]
        key = self._pick(odd).encode("latin-1", "replace")
        body = _json({"trials": [self._answer()]})
        lines = [b"Authorization: " + key.replace(b"\n", b"").replace(b"\r", b"").replace(b"\0", b"")]
        call = self._pick([call for call in _CALLS if call != "sessions"])
        return _request("POST", f"/api/{call}", _REFUSED, body=body, lines=[] if self._chance.random() < 0.2 else lines)

    # --- what is hardly a request

    def _any_json(self) -> Drawn:
        """Any JSON, now and then under the names that are asked for."""
        names = [
            "platform",
            "assignment_id",
            "worker_id",
            "study_id",
            "trialset_id",
            "trials",
            "kind",
            "message",
            "email",
        ]
        body = self._pick([self._value(), {self._pick(names): self._value() for _ in range(self._chance.randrange(6))}])
        call = self._pick(["sessions", "trials", "problems", "contact"])
        expected, session = _REFUSED, None
        if call == "sessions" and isinstance(body, dict) and {"platform", "assignment_id"} <= set(body):
            expected, session = _EITHER, (body["platform"], body["assignment_id"])
        return self._post(call, _json(body), expected, token=self._pick(self._tokens), session=session)

    def _no_json(self) -> Drawn:
        text = _json({"trials": [self._answer()]})
        cut = self._chance.randrange(len(text))
        depth = self._chance.choice([900, 5_000, 100_000])
        garbage = [
            *(text[:cut], text + text, text.replace(b'"', b"'"), text[:cut] + b"\xff" + text[cut:], b"\xef\xbb" + text),
            *(b"[" * depth, b'{"trials":' * (depth // 10), b'{"trials":' + b"[" * depth + b"]" * depth + b"}"),
            *(b"1" * depth, b'{"trials": ' + b"9" * depth + b"}", b'"' + b"\\u" * 10, self._chance.randbytes(200)),
            *(b"NaN", b"-Infinity", b"{} {}", b"", b"\0" * 100, b" " * (MAX_BODY_BYTES + 1), "[1]".encode("utf-32")),
        ]
        call = self._pick(["trials", "sessions", "problems", "contact"])
        return self._post(call, self._pick(garbage), _REFUSED, token=self._tokens[0])

    def _odd_path(self) -> Drawn:
        paths = [
            *(f"/{self._escapes()}x", f"/stimuli/{self._escapes()}", f"/assets/{self._escapes()}", "/api/trials/x"),
            *(
                "/../data/sessions.sqlite3",
                "/%2e%2e/data/bundle.json",
                "/stimuli/../../data/bundle.json",
                "/.gitignore",
            ),
            *(
                "/assets/..%2f..%2fdata%2fsessions.sqlite3",
                "/%00",
                "/%",
                "/%zz",
                "/%u0041",
                "/" + "a/" * 3000,
                "//x//y",
            ),
            *(
                "/" + "x" * self._chance.randrange(1, 20_000),
                "/" + "%C3%28" * 50,
                "/\\..\\data",
                "*",
                "http://x/nowhere",
            ),
            *("/stimuli/" + self._pick(self._pictures).upper(), "/stimuli/" + self._pick(self._pictures) + "/x"),
        ]
        return _request(self._pick(["GET", "HEAD"]), self._pick(paths), _REFUSED)

    def _odd_method(self) -> Drawn:
        method = self._pick(["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get", "X" * 500, "GET", "HEAD"])
        paths = [f"/api/{call}" for call in _CALLS]
        if method not in ("GET", "HEAD"):
            paths += ["/", "/assets/page-1a2b.js", f"/stimuli/{self._pictures[0]}", "/healthz", "/nowhere"]
        key = f"Authorization: Bearer {self._pick(self._tokens)}".encode()
        return _request(method, self._pick(paths), _REFUSED, body=b"{}", lines=[key])

    def _odd_headers(self) -> Drawn:
        """Headers that pages and pictures take note of, with values that mean little."""
        odd = [
            *("", "x", "*", "bytes=", "bytes=-", "bytes=0-0," * 200, "bytes=--1", "bytes=5-2", "bytes=-0", "items=0-1"),
            *(f"bytes={'9' * 5000}-", "bytes=0-1,3-4,-2", "Mon, 32 Foo 99999 99:99:99 +9999999", "[::1", "a b", "é"),
            *(self._text(), "0" * 60_000, "W/" * 100, "websocket", "Thu, 01 Jan 1970 00:00:00 GMT", "gzip;q=NaN"),
        ]
        names = ["Range", "If-Range", "If-Modified-Since", "If-None-Match", "Accept", "Cookie", "X-Forwarded-For"]
        names += [
            "Accept-Encoding",
            "Upgrade",
            "Origin",
            "Host",
            "Forwarded",
            "Connection",
            "Expect",
            "Content-Encoding",
        ]
        lines = []
        for name in self._chance.sample(names, 3):
            value = self._pick(odd).encode("utf-8", "replace")
            lines.append(name.encode() + b": " + bytes(sign for sign in value if sign >= 0x20 and sign != 0x7F))
        path = self._pick(["/", "/assets/page-1a2b.js", f"/stimuli/{self._pick(self._pictures)}", "/healthz"])
        return _request("GET", path, _EITHER, lines=lines)

    def _cut_off(self) -> Drawn:
        """A request whose sender goes away in the middle, often of something that would be right."""
        token = self._pick(self._tokens)
        ids = _json({"platform": "fuzz", "assignment_id": f"cut off {self._number}"})
        whole = self._pick(
            [
                self._post("trials", _json({"trials": [self._answer()]}), _VALID, token=token),
                self._post("sessions", ids, _VALID),
            ]
        ).raw
        return Drawn(whole[: self._chance.randrange(1, len(whole))], _REFUSED, ends=True)

    def _no_http(self) -> Drawn:
        garbage = [
            *(b"\x16\x03\x01" + self._chance.randbytes(100), b"GET\r\n\r\n", b"\r\n" * 5),
            *(b"POST /api/finish HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"GET / HTTX/1.1\r\n\r\n"),
            b"POST /api/finish HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            b"POST /api/finish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"POST /api/finish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n",
            "GET /é HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        ]
        return Drawn(self._pick(garbage), _REFUSED, ends=True)

    # --- parts

    def _pick(self, items: Any) -> Any:
        return self._chance.choice(items)

    def _text(self) -> str:
        signs = [
            "a",
            "0",
            " ",
            "\0",
            "\n",
            "\x7f",
            "é",
            "漢",
            "😀",
            "\ud800",
            "\u202e",
            "'",
            '"',
            "\\",
            "%",
            "<",
            "../",
            "\t",
        ]
        length = self._chance.choice([0, 1, 3, 20, 201, 5_000])
        return "".join(self._chance.choices(signs, k=min(length, 30))) * max(1, length // 30)

    def _value(self, depth: int = 3) -> Any:
        """Any JSON value; objects never say `platform` and `assignment_id` by accident."""
        plain = [None, True, False, 0, -1, 0.5, 1e308, float("nan"), float("-inf"), 2**63, -(10**400), 10**4000]
        kind = self._chance.random()
        if kind < 0.5 or depth == 0:
            return self._pick(plain)
        if kind < 0.7:
            return self._text()
        parts = [self._value(depth - 1) for _ in range(self._chance.randrange(4))]
        return parts if kind < 0.85 else {f"{place}{self._text()}": part for place, part in enumerate(parts)}

    def _escapes(self) -> str:
        parts = [
            "..",
            ".",
            "%2e",
            "%2E%2E",
            "%2f",
            "%5c",
            "%00",
            "%0d%0a",
            "%ff",
            "%c0%af",
            "%F0%9F%98%80",
            "~",
            ";",
            "%25",
        ]
        return "/".join(self._chance.choices(parts, k=self._chance.randrange(1, 8))) + "z"

    def _post(
        self,
        call: str,
        body: bytes,
        expected: str,
        *,
        token: str = "",
        content_type: str = "application/json",
        session: tuple[str, str] | None = None,
        answers: tuple[str, list[dict[str, Any]]] | None = None,
    ) -> Drawn:
        lines = [f"Authorization: Bearer {token}".encode(), f"Content-Type: {content_type}".encode()]
        return _request("POST", f"/api/{call}", expected, body=body, lines=lines, session=session, answers=answers)


def _request(
    method: str,
    path: str,
    expected: str,
    *,
    body: bytes | None = None,
    lines: list[bytes] | None = None,
    session: tuple[str, str] | None = None,
    answers: tuple[str, list[dict[str, Any]]] | None = None,
) -> Drawn:
    head = [f"{method} {path} HTTP/1.1".encode("latin-1"), *(lines or [])]
    if not any(line.startswith(b"Host:") for line in head):
        head.append(b"Host: localhost")
    if body is not None:
        head.append(f"Content-Length: {len(body)}".encode())
    raw = b"\r\n".join([*head, b"", body or b""])
    return Drawn(raw, expected, session=session, answers=answers)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


_CONTENT_TYPES = ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "", "/;;", "é"]

_ODD = [[], {}, [[]], True, False, -1, -0.5, "", "x", "0", float("nan"), float("inf"), float("-inf"), 10**400, "\ud800"]
_ODD_NUMBERS = [odd for odd in _ODD if odd is not False]
_WRONG_IDS: list[tuple[str, Any]] = [
    *((name, odd) for name in ("platform", "assignment_id") for odd in (None, 1, *_ODD) if odd not in ("x", "0")),
    *((name, odd) for name in ("worker_id", "study_id") for odd in (1, *_ODD) if odd not in ("x", "0")),
    *((name, odd) for name in ("platform", "worker_id") for odd in ("x" * 201, "a\0", "a\n", "\u202e", "\x7f")),
    *(("trialset_id", odd) for odd in (1.5, 0.0, 10**9 + 1, 2**63, *_ODD)),
]
_PARTS = ("frame_log", "surroundings")
_WRONG_FIELDS: list[tuple[str, Any]] = [
    *(("index", odd) for odd in (None, _N_TRIALS, 1.0, 1.5, 2**63, *_ODD)),
    *(("i_choice", odd) for odd in (3, 1.0, 0.5, 2**63, *_ODD)),
    *((name, odd) for name in ("reaction_time_msec", "rel_timestamp_response") for odd in _ODD),
    *(
        ("timestamp_start", odd)
        for odd in (None, 0, "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T12:00:00Z", *_ODD)
    ),
    *(("response_device", odd) for odd in ("finger", 0, *_ODD)),
    *(
        (name, odd)
        for name in (
            *("stimulus_width_px", "choice_width_px", "monitor_width_px", "monitor_height_px"),
            *("window_width_px", "window_height_px"),
        )
        for odd in (None, 1.0, 100_001, *_ODD)
    ),
    *((part, odd) for part in _PARTS for odd in (None, 1, *_ODD)),
    *((name, odd) for name in ("refresh_rate_hz", "dropped_frames", "focus_losses") for odd in (None, *_ODD)),
    *((name, odd) for name in ("blank_requested_frames", "blank_achieved_frames") for odd in (None, 1.5, *_ODD)),
    *((name, odd) for name in ("stimulus_requested_frames", "stimulus_achieved_frames") for odd in (1.5, *_ODD)),
    *((name, odd) for name in ("stimulus_requested_msec", "stimulus_achieved_msec") for odd in _ODD),
    *((name, odd) for name in ("px_per_degree", "viewing_distance_mm") for odd in (100_000.5, *_ODD)),
    *((name, odd) for name in ("timing_ok", "full_screen") for odd in (None, 0, 1, *_ODD) if not isinstance(odd, bool)),
    *(("all of them", odd) for odd in (None, [], [answer(0)] * 51, {"0": answer(0)}, "x", 0, [None], [[answer(0)]])),
]


def _start(url: str, ids: dict[str, Any]) -> dict[str, Any]:
    started: dict[str, Any] = httpx.post(f"{url}/api/sessions", json=ids, timeout=30).raise_for_status().json()
    return started


def _send(url: str, token: str, answers: list[dict[str, Any]]) -> None:
    key = {"Authorization": f"Bearer {token}"}
    httpx.post(f"{url}/api/trials", json={"trials": answers}, headers=key, timeout=30).raise_for_status()


def _records(server: Server, assignment: str) -> list[dict[str, Any]]:
    with open_records(server.data) as service:
        whose = {s["participant"]: s["assignment_id"] for s in service.session_records()}
        return [record for record in service.trial_records() if whose[record["participant"]] == assignment]


def _is_as_expected(status: int | None, drawn: Drawn) -> bool:
    if status is None:
        return drawn.ends
    if drawn.expected == _VALID:
        return status == 200
    refused = 400 <= status < 500
    # 304 and 206: the page was asked for only if it has changed, or only a part of it.
    return refused or (drawn.expected == _EITHER and status in (200, 206, 304))


def test_any_request_gets_a_response_and_only_valid_data_is_stored(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    control = _start(server.url, _CONTROL)
    _send(server.url, control["token"], [answer(index, i_choice=index % 3) for index in range(5)])
    untouched = _records(server, "control")
    ledger, tokens = Ledger({"control": "prolific"}), []
    for number in range(_N_SESSIONS):
        ids = {"platform": "prolific", "assignment_id": f"target {number}"}
        tokens.append(_start(server.url, ids)["token"])
        ledger.note(Drawn(b"", _VALID, session=("prolific", f"target {number}")))
        ledger.answers_of[tokens[-1]] = {}

    connection, statuses = _Connection(server.port), Counter[tuple[str, int | None]]()
    draws = iter(_Draw(Random(1), tokens, sorted(server.compiled.files)))  # noqa: S311 - odd requests, no secret
    for _ in range(_N_REQUESTS):
        drawn = next(draws)
        status = connection.send(drawn)
        statuses[drawn.expected, status] += 1
        assert _is_as_expected(status, drawn), (status, drawn.expected, drawn.raw[:3000])
        if status == 200:
            ledger.note(drawn)
    connection.close()
    assert statuses[_VALID, 200] > 0.05 * _N_REQUESTS
    assert {status for expected, status in statuses if expected == _REFUSED} >= {400, 401, 404, 405, 413}

    with open_records(server.data) as service:
        sessions = service.session_records()
        kept = list(service.trial_records())
    assert {s["assignment_id"]: s["platform"] for s in sessions} == ledger.platform_of
    assert len(sessions) == len(ledger.platform_of)
    participant_of = {s["assignment_id"]: s["participant"] for s in sessions}
    expected = {participant_of["control"]: {record["obs"]: record["reaction_time_msec"] for record in untouched}}
    for number, token in enumerate(tokens):
        expected[participant_of[f"target {number}"]] = ledger.answers_of[token]
    assert len(kept) == sum(map(len, expected.values()))
    assert {(r["participant"], r["obs"], r["reaction_time_msec"]) for r in kept} == {
        (participant, index, time) for participant, answers in expected.items() for index, time in answers.items()
    }
    assert _records(server, "control") == untouched
    assert {s["state"] for s in sessions} == {"started"}

    _send(server.url, control["token"], [answer(index) for index in range(5, _N_TRIALS)])
    key = {"Authorization": f"Bearer {control['token']}"}
    ending = httpx.post(f"{server.url}/api/finish", json={}, headers=key, timeout=30).raise_for_status().json()
    assert (ending["state"], ending["n_trials"]) == ("completed", 6)
    assert _records(server, "control")[:5] == untouched
    assert "Traceback" not in capfd.readouterr().err
