"""The survey as a web application.

    GET  /, /survey.js, /survey.css   the page
    GET  /media/<id>.mp4              a video of the trial that is to be answered; also in ranges
    GET  /api/study                   what is asked; needs no session
    POST /api/sessions                consent: creates a session, sets its cookie
    POST /api/resume                  goes on with the session of a token, on any device
    GET  /api/session                 the trial that is to be answered, or the completion code
    POST /api/trials/<n>/plays        how far videos were played
    POST /api/trials/<n>/vote         the answers to a trial, once
    POST /api/comments                a remark at the end

Whoever has a session's token is the rater: it is the only cookie, and nothing else is known of a
rater. A session is shown its present trial alone. Results leave the machine by ``bench study
export``, never by this server.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from bench.errors import BenchError
from bench.study.design import PRACTICE, required_play_s
from bench.study.media import MEDIA, name_trial_media, read_key
from bench.study.server.guards import AddHeaders, RateLimit, is_kind, read_json_body
from bench.study.sessions import RefusedError, Session
from bench.study.store import RATER, SIMULATED, Store
from bench.terminal import print_notice

if TYPE_CHECKING:
    from starlette.requests import Request

COOKIE = "study_session"
COOKIE_SECONDS = 30 * 24 * 3600
PAGES = {
    "/": ("index.html", "text/html"),
    "/survey.js": ("survey.js", "text/javascript"),
    "/survey.css": ("survey.css", "text/css"),
}
#: A vote comes after three videos played one by one; the rest is the tolerance of their clocks.
SHORTEST_SHARE = 0.95
STATUS = {"unknown": 404, "invalid": 422, "conflict": 409, "unplayed": 403}


@dataclass(frozen=True)
class Survey:
    """What the page tells raters beside the design, and whether they are simulated ones."""

    contact: str = ""
    retention: str = "Answers are kept without a time limit and may be published."
    is_simulated: bool = False


class Server:
    """The routes of one study; ``requests`` and ``arrivals`` limit one session, and all new ones.

    Raters share addresses, so no limit is by address.
    """

    def __init__(self, study: Path, store: Store, survey: Survey, now: Callable[[], float]) -> None:
        """Take an open store; see ``bench.study.server.serve`` for the checks before."""
        self._store, self._survey, self._now = store, survey, now
        self._opened: dict[int, tuple[int, float]] = {}
        self._key = read_key(study)
        self._media = {path.stem: path for path in (study / MEDIA).glob("*.mp4")}
        self.requests = RateLimit(per_second=10, burst=100)
        self.ranges = RateLimit(per_second=30, burst=200)
        self.arrivals = RateLimit(per_second=20, burst=400)

    def routes(self) -> list[Route]:
        """Return every route."""
        return [
            *(Route(path, _page(*content)) for path, content in PAGES.items()),
            Route("/media/{name}.mp4", self.send_media),
            Route("/api/study", self.describe_study),
            Route("/api/sessions", self.create_session, methods=["POST"]),
            Route("/api/resume", self.resume, methods=["POST"]),
            Route("/api/session", self.describe_session),
            Route("/api/trials/{position:int}/plays", self.record_plays, methods=["POST"]),
            Route("/api/trials/{position:int}/vote", self.record_vote, methods=["POST"]),
            Route("/api/comments", self.add_comment, methods=["POST"]),
        ]

    def describe_study(self, request: Request) -> Response:
        """Return questions and what raters must know before they agree."""
        design = self._store.design
        questions = [
            {"name": each.name, "text": each.text, "tie": each.tie} for each in design.questions
        ]
        return JSONResponse(
            {
                "questions": questions,
                "n_trials": design.per_rater + len(design.checks),
                "min_play_s": design.min_play_s,
                "asks_panel_id": design.asks_panel_id,
                "contact": self._survey.contact,
                "retention": self._survey.retention,
                "is_simulated": self._survey.is_simulated,
            }
        )

    async def create_session(self, request: Request) -> Response:
        """Create a session for a rater who agrees: 201 if it is new, 200 after a lost reply."""
        self.arrivals.spend(0)
        sent = await read_json_body(request, {"agrees": bool, "panel_id": str, "key": str})
        if not sent["agrees"]:
            raise HTTPException(422, "only raters who agree take part")
        source = SIMULATED if self._survey.is_simulated else RATER
        if source == RATER and self._store.design.asks_panel_id and not sent["panel_id"].strip():
            raise HTTPException(422, "this study needs the participant id")
        created = await run_in_threadpool(
            self._store.create_session, source, sent["panel_id"] or None, sent["key"]
        )
        return self._welcome(request, created.token, 201 if created.is_new else 200)

    async def resume(self, request: Request) -> Response:
        """Go on with the session of a token."""
        self.arrivals.spend(0)
        sent = await read_json_body(request, {"token": str})
        await run_in_threadpool(self._store.find_session, sent["token"])
        return self._welcome(request, sent["token"], 200)

    def describe_session(self, request: Request) -> Response:
        """Return the present trial, or the completion code."""
        token, session = self._enter(request, self.requests)
        trial = session.next_trial
        if trial and self._opened.get(session.number, (-1, 0.0))[0] != trial.position:
            self._opened[session.number] = trial.position, self._now()
        return JSONResponse(
            {
                "token": token,
                "n_trials": len(session.trials),
                "n_answered": len(session.answered),
                "completion_code": session.completion_code,
                "trial": trial
                and {
                    "position": trial.position,
                    "is_practice": trial.kind == PRACTICE,
                    "required_s": required_play_s(self._store.design, trial.clip),
                    "media": name_trial_media(self._key, trial),
                },
            }
        )

    def send_media(self, request: Request) -> Response:
        """Send a video of the present trial: its name is looked up, and never made a path."""
        _, session = self._enter(request, self.ranges)
        name, trial = request.path_params["name"], session.next_trial
        if trial is None or name not in name_trial_media(self._key, trial).values():
            raise HTTPException(404)
        path = self._media.get(name)
        if path is None or not path.is_file():
            raise HTTPException(404)
        # The file's own time would tell in which order the systems were prepared.
        headers = {
            "Cache-Control": "private, max-age=86400, immutable",
            "ETag": f'"{name}"',
            "Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT",
        }
        return FileResponse(path, media_type="video/mp4", headers=headers)

    async def record_plays(self, request: Request) -> Response:
        """Record how far videos were played."""
        sent = await read_json_body(request, {"seconds": dict})
        if not all(is_kind(each, float) for each in sent["seconds"].values()):
            raise HTTPException(422, "seconds: expected a number for each side")
        await run_in_threadpool(self._record_plays, request, sent["seconds"])
        return Response(status_code=204)

    def _record_plays(self, request: Request, seconds: dict[str, float]) -> None:
        token, session = self._enter(request, self.requests)
        self._store.record_plays(token, _find_position(request, session), seconds)

    async def record_vote(self, request: Request) -> Response:
        """Record the answers to the present trial: 201 if new, 200 if they are stored already."""
        sent = await read_json_body(request, {"answers": dict, "key": str, "elapsed_s": float})
        if not all(is_kind(each, str) for each in sent["answers"].values()):
            raise HTTPException(422, "answers: expected a choice for each question")
        is_new = await run_in_threadpool(self._record_vote, request, sent)
        return JSONResponse({"is_new": is_new}, 201 if is_new else 200)

    def _record_vote(self, request: Request, sent: dict[str, Any]) -> bool:
        token, session = self._enter(request, self.requests)
        position = _find_position(request, session)
        self._require_time(session, position)
        return self._store.record_vote(
            token, position, sent["answers"], sent["key"], sent["elapsed_s"]
        )

    def _require_time(self, session: Session, position: int) -> None:
        """Refuse a vote that is sooner than three videos can play, whatever plays were reported.

        A server that was started since the trial was opened does not know, and accepts it.
        """
        opened, since = self._opened.get(session.number, (-1, 0.0))
        trial = session.trials[position]
        needed = 3 * SHORTEST_SHARE * required_play_s(self._store.design, trial.clip)
        is_present = opened == position and position not in session.answered
        if is_present and not self._survey.is_simulated and self._now() - since < needed:
            raise RefusedError("unplayed", f"three videos take {needed:.1f} s or more to play")

    async def add_comment(self, request: Request) -> Response:
        """Store a remark on the study."""
        sent = await read_json_body(request, {"text": str})
        await run_in_threadpool(self._add_comment, request, sent["text"])
        return Response(status_code=204)

    def _add_comment(self, request: Request, text: str) -> None:
        token, _ = self._enter(request, self.requests)
        self._store.add_comment(token, text)

    def _enter(self, request: Request, limit: RateLimit) -> tuple[str, Session]:
        """Return the token and session of a request, and count it."""
        token = request.cookies.get(COOKIE, "")
        try:
            session = self._store.find_session(token)
        except RefusedError as error:
            raise HTTPException(401, "there is no such session") from error
        limit.spend(session.number)
        return token, session

    def _welcome(self, request: Request, token: str, status: int) -> Response:
        answer = JSONResponse({"token": token}, status)
        answer.set_cookie(
            COOKIE,
            token,
            max_age=COOKIE_SECONDS,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer


def create_app(
    study: Path, store: Store, survey: Survey, now: Callable[[], float] = time.monotonic
) -> Starlette:
    """Return the application that serves a study from an open store; ``now`` is in seconds."""
    server = Server(study, store, survey, now)
    app = Starlette(
        routes=server.routes(),
        middleware=[Middleware(AddHeaders)],
        exception_handlers={
            HTTPException: _answer_refusal,
            RefusedError: _answer_refusal,
            BenchError: _answer_failure,
            sqlite3.Error: _answer_failure,
        },
    )
    app.state.server = server
    return app


def _page(name: str, media_type: str) -> Any:
    content = (files("bench.study.server") / "pages" / name).read_bytes()

    def send(request: Request) -> Response:
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

    return send


def _find_position(request: Request, session: Session) -> int:
    """Return the place of a trial that was shown; SQLite cannot hold every number."""
    position: int = request.path_params["position"]
    if position >= len(session.trials):
        raise RefusedError("unknown", f"the session has no trial {position}")
    if session.next_trial is not None and position > session.next_trial.position:
        raise RefusedError("conflict", f"trial {session.next_trial.position} comes first")
    return position


def _answer_refusal(request: Request, error: Exception) -> Response:
    if isinstance(error, RefusedError):
        return JSONResponse({"error": str(error), "reason": error.reason}, STATUS[error.reason])
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these two
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


def _answer_failure(request: Request, error: Exception) -> Response:
    """Answer that the page should try again; the reason is for the operator alone."""
    print_notice(f"{request.method} {request.url.path}: {error}")
    return JSONResponse({"error": "the answer could not be stored"}, 503, {"Retry-After": "2"})
