"""The routes by which people sign in and out, on the page's own address.

Each calls the API as any client would, and keeps the session's text in a cookie alone. Whoever
signs in is sent to the page and nowhere else, whatever the address says. A session always begins
anew: what the browser had before is ended, so that nobody can plant one.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from ui import cookies, sign_in_page, visitor
from ui.client import ApiError, Refused
from ui.inert import asset
from ui.sign_in_client import Session, SignInClient

DIFFER = "The two passwords differ."
NO_STORE = {"cache-control": "no-store"}


def routes(sessions: SignInClient, public_url: str | None) -> APIRouter:
    """All of them; the gate has let the request in."""
    router = APIRouter(default_response_class=HTMLResponse)
    pages = SignIn(sessions, public_url)
    for path, method, act in (
        ("/sign-in", "GET", pages.ask),
        ("/sign-in", "POST", pages.sign_in),
        ("/sign-in/state", "GET", pages.state),
        ("/sign-in/look.css", "GET", look),
        ("/sign-in/invitation.js", "GET", script),
        ("/sign-in/openid", "GET", pages.begin_openid),
        ("/sign-in/openid/back", "GET", pages.end_openid),
        ("/sign-out", "POST", pages.sign_out),
        ("/invitation", "GET", pages.invitation),
        ("/invitation", "POST", pages.redeem),
        ("/password", "GET", pages.password),
        ("/password", "POST", pages.change_password),
    ):
        router.add_api_route(path, act, methods=[method], response_model=None)
    return router


class SignIn:
    """What they do."""

    def __init__(self, sessions: SignInClient, public_url: str | None) -> None:
        self._sessions = sessions
        self._public_url = public_url

    async def ask(self, request: Request) -> Response:
        """The form; whoever has signed in, or need not, goes to the page."""
        ways = await self._sessions.ways()
        if not ways.needed or visitor.current().is_signed_in:
            return RedirectResponse("/", 303)
        return _page(sign_in_page.sign_in(ways))

    async def sign_in(self, request: Request) -> Response:
        given = await _form(request)
        begin = self._sessions.sign_in(given["name"].strip(), given["password"], _address(request))
        try:
            return await self._let_in(request, begin)
        except ApiError as error:
            ways = await self._sessions.ways()
            page = sign_in_page.sign_in(ways, name=given["name"], wrong=str(error))
            return _page(page, _status(error))

    async def invitation(self) -> Response:
        return _page(sign_in_page.invitation())

    async def redeem(self, request: Request) -> Response:
        given = await _form(request)
        kept = {"name": given["name"], "invitation": given["invitation"]}
        if given["new"] != given["again"]:
            return _page(sign_in_page.invitation(**kept, wrong=DIFFER), 400)
        begin = self._sessions.redeem(given["invitation"], given["new"], _address(request))
        try:
            return await self._let_in(request, begin)
        except ApiError as error:
            return _page(sign_in_page.invitation(**kept, wrong=str(error)), _status(error))

    async def password(self) -> Response:
        who = visitor.current()
        if who.owner or who.way == "openid":
            told = "You sign in without a password of your own, so there is none to change."
            return _page(sign_in_page.told("Change your password", told))
        return _page(sign_in_page.password(who.person))

    async def change_password(self, request: Request) -> Response:
        given, who = await _form(request), visitor.current()
        if given["new"] != given["again"]:
            return _page(sign_in_page.password(who.person, wrong=DIFFER), 400)
        assert who.token is not None, "the gate lets nobody else in here"
        begin = self._sessions.change_password(
            who.token, given["old"], given["new"], _address(request)
        )
        try:
            return await self._let_in(request, begin)
        except ApiError as error:
            return _page(sign_in_page.password(who.person, wrong=str(error)), _status(error))

    async def sign_out(self, request: Request) -> Response:
        response = RedirectResponse("/sign-in", 303)
        await self._end_session(request)
        cookies.drop_session(request, response)
        return response

    async def state(self) -> Response:
        """Whether this browser may go on: a page that was refused asks why."""
        needed = (await self._sessions.ways()).needed
        return JSONResponse({"out": needed and not visitor.current().is_signed_in})

    async def begin_openid(self, request: Request) -> Response:
        """To the provider; what belongs to this sign-in waits in a cookie."""
        back = f"{self._public_url or _origin(request)}/sign-in/openid/back"
        try:
            begun = await self._sessions.begin_openid(back, _address(request))
        except ApiError as error:
            return _page(sign_in_page.told("Sign in", str(error)), _status(error))
        response = RedirectResponse(begun.url, 303)
        kept = {"redirect_uri": back, **begun.model_dump(exclude={"url"})}
        cookies.keep_openid(request, response, kept)
        return response

    async def end_openid(self, request: Request) -> Response:
        """Back from the provider: only where this browser began, which `state` tells."""
        kept, told = cookies.openid_of(request), request.query_params
        state, code = told.get("state", ""), told.get("code", "")
        if not code or not secrets.compare_digest(kept.pop("state", "").encode(), state.encode()):
            why = "That did not work, or took too long: begin anew."
            return _page(sign_in_page.told("Sign in", why), 400)
        try:
            begin = self._sessions.end_openid(kept, code, _address(request))
            response = await self._let_in(request, begin)
        except ApiError as error:
            return _page(sign_in_page.told("Sign in", str(error)), _status(error))
        cookies.drop_openid(request, response)
        return response

    async def _let_in(self, request: Request, begin: Awaitable[Session]) -> Response:
        """Whoever may, to the page and nowhere else. Raises ApiError."""
        session = await begin
        await self._end_session(request)
        response = RedirectResponse("/", 303)
        cookies.keep_session(request, response, session)
        return response

    async def _end_session(self, request: Request) -> None:
        """What the browser came with, if it was a session, is none any longer."""
        token = visitor.current().token
        if token is not None:
            try:
                await self._sessions.sign_out(token)
            except Refused as refusal:
                if refusal.status != 401:  # it had ended already
                    raise


async def look() -> Response:
    """The style sheet of these pages: the colours of the page itself, dark where the system is."""
    light, dark = asset("colours.css").split(".dark ")
    dark = f"@media (prefers-color-scheme: dark) {{ :root {dark} :root {{ color-scheme: dark; }} }}"
    return Response(f"{light}{dark}\n{asset('sign_in.css')}", media_type="text/css")


async def script() -> Response:
    return Response(asset("invitation.js"), media_type="text/javascript")


class Given(dict[str, str]):
    """A form's texts; what is missing is empty."""

    def __missing__(self, name: str) -> str:
        return ""


async def _form(request: Request) -> Given:
    async with request.form(max_files=0, max_fields=8) as form:
        return Given({name: value for name, value in form.items() if isinstance(value, str)})


def _page(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, headers=NO_STORE)


def _status(error: ApiError) -> int:
    return error.status if isinstance(error, Refused) else 503


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"
