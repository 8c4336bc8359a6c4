"""What goes wrong on the way to a client, in OpenAI's shape; the one place that maps errors to
HTTP.

It knows the store's typed errors and nothing of where they are raised.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from feedback import errors as store_errors
from feedback.database import is_full

log = logging.getLogger(__name__)

REQUEST_ID = "x-request-id"
FULL = (
    "The database's disk is full, so nothing can be recorded and nothing is answered. Free some"
    " space: what was recorded is safe, and answering goes on by itself."
)


class ApiError(Exception):
    """A refusal as the client sees it. `code` is a string or None, as OpenAI's clients require."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.retry_after_s = retry_after_s

    @property
    def type(self) -> str:
        return "server_error" if self.status >= 500 else "invalid_request_error"

    @property
    def body(self) -> dict[str, Any]:
        detail = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        return {"error": detail}


class ErrorDetail(BaseModel):
    """OpenAI's account of what was wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every error."""

    error: ErrorDetail


MEANINGS = {
    400: "Something in the request is not possible.",
    401: "The key is missing or wrong.",
    403: "Without a key only this machine is answered.",
    404: "There is no such thing.",
    408: "The body did not come in time.",
    409: "It is not possible from where things stand.",
    413: "The body is larger than what this route takes, mostly 1 MiB.",
    415: "The body is not JSON.",
    422: "The Idempotency-Key was used for another body.",
    429: "This person, or address, is over their share; retry after the time that is said.",
    500: "The server made a mistake.",
    503: "Not now; retry after the time that is said.",
}
ANYWHERE = (400, 401, 403, 408, 413, 415, 429, 500, 503)
"""What any route may answer; a body is looked at before the route is."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These errors as a route's `responses` in the OpenAPI document."""
    return {status: {"model": ErrorBody, "description": MEANINGS[status]} for status in statuses}


def refused(param: str, value: object, reason: str) -> ApiError:
    """A parameter that cannot be served, naming it and its value."""
    message = f"Invalid value for '{param}': {shown(value)} {reason}."
    return ApiError(400, message, param=param, code="invalid_value")


def shown(value: object) -> str:
    """A value as a message quotes it: no longer than a line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def fault() -> ApiError:
    """What a client is told of our own mistake: nothing of where it happened."""
    return ApiError(500, "The server had an error while processing your request.")


def unready(message: str, retry_after_s: int = 1) -> ApiError:
    return ApiError(503, message, code="service_unavailable", retry_after_s=retry_after_s)


def too_long(context: int, prompt: int, answer: int, param: str) -> ApiError:
    """OpenAI's own sentence: clients recognise an overflow by it."""
    message = (
        f"This model's maximum context length is {context} tokens. However, you requested"
        f" {prompt + answer} tokens ({prompt} in the {param}, {answer} in the completion)."
        f" Please reduce the length of the {param} or completion."
    )
    return ApiError(400, message, param=param, code="context_length_exceeded")


def too_large(positions: int, needed: int) -> ApiError:
    """More than the memory for attention holds, so that waiting would not help."""
    message = (
        f"This request may come to {needed} tokens in all its answers, their prompts counted, and"
        f" this server holds {positions} at a time. Please ask for fewer answers or fewer tokens."
    )
    return ApiError(400, message, param="n", code="request_too_large")


UNQUOTED = frozenset({"password", "invitation", "old", "new", "code", "nonce", "verifier"})
"""Parameters whose value no message repeats."""

STATUS_OF: Sequence[tuple[type[store_errors.StoreError], int, str]] = (
    (store_errors.NotFound, 404, "not_found"),
    (store_errors.IdempotencyConflict, 422, "idempotency_conflict"),
    (store_errors.IllegalMove, 409, "illegal_move"),
    (store_errors.VersionExists, 409, "version_exists"),
    (store_errors.NotIssued, 409, "not_issued"),
    (store_errors.NameTaken, 409, "name_taken"),
    (store_errors.NotAdmitted, 401, "not_admitted"),
    (store_errors.StoreError, 400, "invalid_value"),
)


def of_store(error: store_errors.StoreError) -> ApiError:
    """The first row of STATUS_OF that fits."""
    status, code = next((s, c) for kind, s, c in STATUS_OF if isinstance(error, kind))
    return ApiError(status, error.message, param=error.param, code=code)


def of_validation(error: RequestValidationError) -> ApiError:
    """The first thing that is wrong with a body, named as OpenAI names it: `messages[0].role`."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return ApiError(400, "We could not parse the JSON body of your request.")
    param = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"][1:]
    ).lstrip(".")
    if not param:
        return ApiError(400, "The body of your request must be a JSON object.")
    if first["type"] == "missing":
        message = f"Missing required parameter: '{param}'."
        return ApiError(400, message, param=param, code="missing_required_parameter")
    reason = re.sub(r"^Value error, ", "", first["msg"])
    reason = reason[:1].lower() + reason[1:]
    given = "what" if param in UNQUOTED else shown(first["input"])
    message = f"Invalid value for '{param}': {given} was given, but {reason}."
    return ApiError(400, message, param=param, code="invalid_value")


def of_http(error: HTTPException) -> ApiError:
    """What the framework refuses by itself: an unknown route, a method, a body too large."""
    if error.status_code == 413:
        message = f"The body of your request is larger than {error.detail} MiB."
        return ApiError(413, message, code="request_too_large")
    if error.status_code == 415:
        message = (
            f"Invalid Content-Type header ({shown(error.detail)}), expected application/json. "
            "(With curl: -H 'Content-Type: application/json')"
        )
        return ApiError(415, message, code="unsupported_media_type")
    if error.status_code == 405:
        return ApiError(405, "This route does not take this method.", code="method_not_allowed")
    if error.status_code == 404:
        return ApiError(404, "There is no such route.", code="unknown_url")
    return ApiError(error.status_code, str(error.detail))


def response_to(error: ApiError, request_id: str | None = None) -> Response:
    response = JSONResponse(error.body, error.status)
    if error.retry_after_s is not None:
        response.headers["retry-after"] = str(error.retry_after_s)
    if error.status == 401:
        response.headers["www-authenticate"] = "Bearer"
    if request_id is not None:
        response.headers[REQUEST_ID] = request_id
    return response


KNOWN: tuple[type[Exception], ...] = (
    ApiError,
    store_errors.StoreError,
    RequestValidationError,
    HTTPException,
    OperationalError,
)


def install(app: FastAPI) -> None:
    """Maps every error that a route can raise."""

    async def refuse(request: Request, error: Exception) -> Response:
        response = response_to(as_api_error(error))
        # The framework's own: which methods a route takes.
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    async def fail(request: Request, error: Exception) -> Response:
        # This one answers from outside of every middleware, so it sets the header by itself.
        return response_to(fault(), request.scope.get(REQUEST_ID))

    for kind in KNOWN:
        app.add_exception_handler(kind, refuse)
    app.add_exception_handler(Exception, fail)


def as_api_error(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, store_errors.StoreError):
        return of_store(error)
    if isinstance(error, RequestValidationError):
        return of_validation(error)
    if isinstance(error, HTTPException):
        return of_http(error)
    if isinstance(error, OperationalError):
        log.error("the database does not answer: %s", error.orig)
        return unready(FULL if is_full(error) else "The database does not answer.")
    return fault()
