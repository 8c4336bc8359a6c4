"""The command `rankloop`: it parses, and hands over.

    rankloop up                       server, learner and UI, supervised
    rankloop server | learner | ui    one of them, in the foreground
    rankloop versions | rounds        look and steer, over the API of a running server
    rankloop rewards score            score conversations, on the data folder
    rankloop users                    who may come in, by signing in or by a key, on the database
    rankloop export | import          what people said, in the field's formats, on the database

It knows no torch, no gradio and no SQL: the process that it starts imports what it needs after.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import rankloop_users
from rankloop_exchange import export_to, import_from
from rankloop_prompts import send as send_prompts
from rankloop_settings import (
    Settings,
    UserError,
    check_name,
    environment_name,
    is_loopback,
    load_settings,
    setting_names,
)
from rankloop_up import die_with_parent, keep_up

if TYPE_CHECKING:
    import httpx

__all__ = ["Settings", "UserError", "environment_name", "load_settings", "main", "setting_names"]

# The learner yields the processor to answers: people wait for those.
LEARNER_NICENESS = 10

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Serves a chat model, records how people rank its answers, and keeps training it on them.",
    epilog="Every setting is a flag: --server.port 8001, --learner.schedule '0 3 * * *'. "
    "docs/reference.md lists them.",
)
versions_app = typer.Typer(
    help="List versions, promote one, roll back.", no_args_is_help=True, rich_markup_mode=None
)
rounds_app = typer.Typer(
    help="List learning rounds, run, repeat or cancel one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
rewards_app = typer.Typer(
    help="Score conversations with a reward model.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(versions_app, name="versions")
app.add_typer(rounds_app, name="rounds")
app.add_typer(rewards_app, name="rewards")
users_app = typer.Typer(
    help="Invite people, give them keys, list and revoke them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(users_app, name="users")

# Lets `--server.port 8001` through to `flags_of`, which knows the names.
ANY_SETTING = {"allow_extra_args": True, "ignore_unknown_options": True}

Data = Annotated[
    Path | None, typer.Option("--data", help="The data folder. [./data]", show_default=False)
]
Model = Annotated[
    str | None, typer.Option("--model", help="builtin, a folder, or a hub id.", show_default=False)
]
Config = Annotated[
    Path | None, typer.Option("--config", help="[./rankloop.toml]", show_default=False)
]
Host = Annotated[
    str | None,
    typer.Option("--host", help="The address of API and UI. [127.0.0.1]", show_default=False),
]
Port = Annotated[
    int | None, typer.Option("--port", help="The port to listen on.", show_default=False)
]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", help="But for this person's rankings; may be given again."),
]
Format = Annotated[str, typer.Option("--format", help="One of those in docs/reference.md.")]
File = Annotated[str, typer.Argument(help="JSON lines; - is standard input or output.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept with the change.")]
Share = Annotated[float | None, typer.Option(help="Share of the people, at most half.")]
Quarantine = Annotated[
    bool, typer.Option("--quarantine", help="Learn nothing from rankings of its answers.")
]


def flags_of(context: typer.Context, **named: object) -> dict[str, str]:
    """Named options, and any other setting as `--name value` or `--name=value`."""
    flags = {
        name.replace("__", "."): str(value) for name, value in named.items() if value is not None
    }
    words = iter(context.args)
    for word in words:
        if not word.startswith("--"):
            raise UserError(f"unexpected argument {word!r}; a setting is written --name value")
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        check_name(name, "flags")
        if not equals:
            value = next(words, "")
        if not value:
            raise UserError(f"--{name} needs a value")
        flags[name] = value
    return flags


def refuse_open_door(settings: Settings, host: str) -> None:
    """Without a key, and nobody who has one or may sign in, only this machine may come in. Raises
    UserError with the line to type.
    """
    if settings.key is not None or is_loopback(host) or rankloop_users.anybody(settings):
        return
    raise UserError(
        f"{host} can be reached by others, and there is no key. Type:\n"
        f"    RANKLOOP_KEY=$(openssl rand -hex 24) rankloop {' '.join(sys.argv[1:])}"
    )


def stay_quiet() -> None:
    """No library tells anybody that it is used. Read when they load, so before."""
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        os.environ.setdefault(name, "1")
    # Said where a process only tokenises: that there is no torch, as if something were missing.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")


def begin(threads: int) -> None:
    """What a process settles before it imports anything large.

    Few threads for each: two pools that share a core wait for each other busily. Native libraries
    read these variables once, when they load.
    """
    if "SUPERVISOR_ENABLED" in os.environ:
        die_with_parent()
    stay_quiet()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@app.command(context_settings=ANY_SETTING)
def server(
    context: typer.Context,
    data: Data = None,
    model: Model = None,
    config: Config = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Serve the API, in the foreground."""
    flags = flags_of(context, data=data, model=model, server__host=host, server__port=port)
    settings = load_settings(config, flags)
    refuse_open_door(settings, settings.server.host)
    begin(settings.server.threads)
    from server.__main__ import main as run

    run(settings)


@app.command(context_settings=ANY_SETTING)
def learner(
    context: typer.Context, data: Data = None, model: Model = None, config: Config = None
) -> None:
    """Wait for rankings and learn from them, in the foreground."""
    settings = load_settings(config, flags_of(context, data=data, model=model))
    begin(settings.learner.cpu_threads)
    os.nice(LEARNER_NICENESS)
    from learner.__main__ import main as run

    run(settings)


@app.command(context_settings=ANY_SETTING)
def ui(
    context: typer.Context,
    config: Config = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Show the web page, in the foreground; it needs a server."""
    settings = load_settings(config, flags_of(context, ui__host=host, ui__port=port))
    if settings.ui.server_url is None:  # elsewhere it is the server that knows who may come in
        refuse_open_door(settings, settings.ui.host)
    begin(threads=1)
    from ui.__main__ import main as run

    run(settings)


@app.command(context_settings=ANY_SETTING)
def up(
    context: typer.Context,
    data: Data = None,
    model: Model = None,
    config: Config = None,
    host: Host = None,
) -> None:
    """Start server, learner and UI, and keep them running until Ctrl-C."""
    flags = flags_of(context, data=data, model=model, server__host=host, ui__host=host)
    settings = load_settings(config, flags)
    for address in (settings.server.host, settings.ui.host):
        refuse_open_door(settings, address)
    raise typer.Exit(keep_up(settings, child_environment(settings, flags), config))


def child_environment(settings: Settings, flags: Mapping[str, str]) -> dict[str, str]:
    """Gives each child the same settings. Flags ride in it, so that no key shows in `ps`."""
    environment = dict(os.environ)
    environment.update({environment_name(name): value for name, value in flags.items()})
    environment[environment_name("data")] = str(settings.data.absolute())
    return environment


# ---------------------------------------------------------------- a running server


def call(
    context: typer.Context, config: Path | None, method: str, path: str, **body: object
) -> Any:
    """One request to the running server, as JSON. Raises UserError with what the server said."""
    import httpx

    settings = load_settings(config, flags_of(context))
    url = settings.api_url
    headers = {"authorization": f"Bearer {settings.key.get_secret_value()}"} if settings.key else {}
    try:
        answer = httpx.request(
            method, url + path, json=body or None, headers=headers, timeout=30, trust_env=False
        )
    except httpx.TransportError as error:
        raise UserError(f"nothing answers at {url} ({error}); is `rankloop up` running?") from None
    if answer.is_error:
        raise UserError(f"{url}{path}: {_message(answer)}")
    return answer.json()


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text[:200]}"


def show(columns: Mapping[str, str], rows: list[dict[str, Any]]) -> None:
    """A table on the terminal; `columns` maps a heading to the field below it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None)
    for row in rows:
        cells = (row.get(field) for field in columns.values())
        table.add_row(*("" if cell is None else str(cell) for cell in cells))
    Console().print(table, markup=False)


VERSION_COLUMNS = {
    "version": "id",
    "state": "state",
    "parent": "parent",
    "round": "round",
    "digest": "digest",
}
ROUND_COLUMNS = {
    "round": "id",
    "state": "state",
    "outcome": "outcome",
    "trigger": "trigger",
    "rankings": "rankings",
    "version": "version",
    "error": "error",
}


@versions_app.command("list", context_settings=ANY_SETTING)
def versions_list(context: typer.Context, config: Config = None) -> None:
    """Every version and its state."""
    show(VERSION_COLUMNS, call(context, config, "GET", "/v1/versions")["data"])


@versions_app.command("promote", context_settings=ANY_SETTING)
def versions_promote(
    context: typer.Context, version: str, reason: Reason, config: Config = None
) -> None:
    """Let a version answer."""
    show(
        VERSION_COLUMNS,
        [call(context, config, "POST", f"/v1/versions/{version}/promote", reason=reason)],
    )


@versions_app.command("reject", context_settings=ANY_SETTING)
def versions_reject(
    context: typer.Context, version: str, reason: Reason, config: Config = None
) -> None:
    """Say that a version shall not answer."""
    show(
        VERSION_COLUMNS,
        [call(context, config, "POST", f"/v1/versions/{version}/reject", reason=reason)],
    )


@versions_app.command("canary", context_settings=ANY_SETTING)
def versions_canary(
    context: typer.Context,
    version: str,
    reason: Reason,
    share: Share = None,
    config: Config = None,
) -> None:
    """Try a version on a share of the people."""
    path, body = f"/v1/versions/{version}/canary", {"reason": reason, "share": share}
    show(VERSION_COLUMNS, [call(context, config, "POST", path, **body)])


@versions_app.command("rollback", context_settings=ANY_SETTING)
def versions_rollback(
    context: typer.Context, reason: Reason, quarantine: Quarantine = False, config: Config = None
) -> None:
    """Go back to the version that answered before."""
    body: dict[str, Any] = {"reason": reason, "quarantine": quarantine}
    restored = call(context, config, "POST", "/v1/versions/rollback", **body)
    show(VERSION_COLUMNS, [restored])
    show({name: name for name in restored["rolled_back"]}, [restored["rolled_back"]])


@rounds_app.command("list", context_settings=ANY_SETTING)
def rounds_list(context: typer.Context, config: Config = None) -> None:
    """Learning rounds, newest first."""
    show(ROUND_COLUMNS, call(context, config, "GET", "/v1/rounds")["data"])


@rounds_app.command("run", context_settings=ANY_SETTING)
def rounds_run(context: typer.Context, config: Config = None) -> None:
    """Ask the learner for a round now."""
    show(ROUND_COLUMNS, [call(context, config, "POST", "/v1/rounds", stages=["reward", "ppo"])])


@rounds_app.command("repeat", context_settings=ANY_SETTING)
def rounds_repeat(
    context: typer.Context, round_id: int, without: Without = None, config: Config = None
) -> None:
    """Run a round again on what it had learned from."""
    body = {"repeat": round_id, "without": list(without or ())}
    show(ROUND_COLUMNS, [call(context, config, "POST", "/v1/rounds", **body)])


@rounds_app.command("cancel", context_settings=ANY_SETTING)
def rounds_cancel(context: typer.Context, round_id: int, config: Config = None) -> None:
    """Stop a round; what serves stays as it is."""
    show(ROUND_COLUMNS, [call(context, config, "POST", f"/v1/rounds/{round_id}/cancel")])


# ---------------------------------------------------------------- the data folder


@users_app.command("add", context_settings=ANY_SETTING)
def users_add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whom feedback given with the key counts for.")],
    scopes: Annotated[str, typer.Option(help="Of chat, rank, read, operate, admin.")] = "chat,rank",
    expires: Annotated[str | None, typer.Option(help="After 30m, 12h or 90d. [never]")] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Give a person a key, which is shown this once."""
    settings = load_settings(config, flags_of(context, data=data))
    key = rankloop_users.add(settings, name, scopes, expires)
    if settings.key is None:
        typer.echo(
            "From now on nobody comes in without a key. To the page people sign in: "
            f"rankloop users invite {name}",
            err=True,
        )
    typer.echo("Nobody can look this key up later:", err=True)
    typer.echo(key)


@users_app.command("invite", context_settings=ANY_SETTING)
def users_invite(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whom they sign in as.")],
    scopes: Annotated[
        str | None,
        typer.Option(help="Of chat, rank, read, operate, admin. [as before, at first chat,rank]"),
    ] = None,
    expires: Annotated[str, typer.Option(help="After 30m, 12h or 7d.")] = "7d",
    data: Data = None,
    config: Config = None,
) -> None:
    """Let a person sign in to the page: a link, shown this once, to choose a password by."""
    settings = load_settings(config, flags_of(context, data=data))
    link = rankloop_users.invite(settings, name, scopes, expires)
    typer.echo("Good once, for whoever has it:", err=True)
    typer.echo(link)


@users_app.command("password", context_settings=ANY_SETTING)
def users_password(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who was invited.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Set a person's password, which is asked for, or read from standard input; signs them out."""
    settings = load_settings(config, flags_of(context, data=data))
    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    rankloop_users.set_password(settings, name, password)
    typer.echo(f"{name} has another password, and is signed out.", err=True)


@users_app.command("revoke", context_settings=ANY_SETTING)
def users_revoke(
    context: typer.Context,
    whose: Annotated[str, typer.Argument(help="A key's id, or a person for all of theirs.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """End a key; or all keys and the signing in of a person, within five seconds."""
    settings = load_settings(config, flags_of(context, data=data))
    typer.echo(rankloop_users.revoke(settings, whose), err=True)


@users_app.command("list", context_settings=ANY_SETTING)
def users_list(context: typer.Context, data: Data = None, config: Config = None) -> None:
    """Everybody who signs in, and every key: what it opens, until when, when it was last used."""
    settings = load_settings(config, flags_of(context, data=data))
    show(rankloop_users.COLUMNS, rankloop_users.listed(settings))


@rewards_app.callback()
def rewards() -> None:
    """Score conversations with a reward model."""


@rewards_app.command("score", context_settings=ANY_SETTING)
def rewards_score(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="JSON lines; - is standard input.")],
    reward: Annotated[str | None, typer.Option("--reward", help="Its id. [the newest]")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write. [stdout]")] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Score the answers in a file with a reward model; no server needs to run."""
    settings = load_settings(config, flags_of(context, data=data))
    text = read_text(file)
    begin(settings.learner.cpu_threads)
    from learner.reward_settings import UnusableScorer
    from learner.score_lines import CannotScore, score_file
    from policy.versions import CorruptVersion

    try:
        score_file(text, settings, reward, out)
    except (CannotScore, CorruptVersion, UnusableScorer, OSError) as error:
        raise UserError(f"{file}: {error}") from None


@app.command("export", context_settings=ANY_SETTING)
def export_(
    context: typer.Context, file: File, format: Format, data: Data = None, config: Config = None
) -> None:
    """Write what people said to a file; no server needs to run."""
    settings = load_settings(config, flags_of(context, data=data))
    lines = export_to(settings, format, file)
    typer.echo(f"{lines} lines exported", err=True)


@app.command("import", context_settings=ANY_SETTING)
def import_(
    context: typer.Context,
    file: File,
    format: Format,
    user: Annotated[str | None, typer.Option("--user", help="Who said it. [import:FILE]")] = None,
    prompts: Annotated[str, typer.Option("--set", help="The set that prompts go to.")] = "default",
    criteria: Annotated[
        str, typer.Option("--criteria", help="What each is ranked by alone: helpful,honest.")
    ] = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Store what a file holds that is not on record. Only prompts need a running server."""
    if format == "prompts":
        by = [criterion for criterion in criteria.split(",") if criterion]
        post = partial(call, context, config, "POST", "/v1/prompts", criteria=by)
        added, known = send_prompts(read_text(file), prompts, post)
        typer.echo(f"{prompts}: {added} new, {known} known")
        return
    settings = load_settings(config, flags_of(context, data=data))
    if not import_from(settings, format, file, user):
        raise typer.Exit(1)


@app.command("backup", context_settings=ANY_SETTING)
def backup_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The archive to write.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Write what people said and every version to one file; servers may run."""
    from rankloop_backup import backup

    count = backup(load_settings(config, flags_of(context, data=data)), file)
    typer.echo(f"{file}: the record and {count} versions")


@app.command("restore", context_settings=ANY_SETTING)
def restore_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="An archive that `rankloop backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Move aside what the data folder holds.")
    ] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Bring a backup into an empty data folder."""
    from rankloop_backup import restore

    settings = load_settings(config, flags_of(context, data=data))
    count = restore(settings, file, replace=replace)
    typer.echo(f"{settings.data}: the record and {count} versions")


@app.command("move", context_settings=ANY_SETTING)
def move_(
    context: typer.Context,
    to: Annotated[
        str | None, typer.Option("--to", help="postgresql://USER@HOST/NAME, without rows.")
    ] = None,
    versions: Annotated[
        str | None, typer.Option("--versions", help="A folder, or s3://BUCKET/NAME and the like.")
    ] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Copy the record into another database, or versions elsewhere, with all processes stopped."""
    from rankloop_move import COLUMNS, move_record, move_versions

    settings = load_settings(config, flags_of(context, data=data))
    if not to and not versions:
        raise UserError("nothing to move: say --to URL for the record, --versions URL, or both")
    if versions:
        typer.echo(f"{move_versions(settings, versions)} versions copied", err=True)
        typer.echo("From now on set versions.url to it.", err=True)
    if to:
        show(COLUMNS, move_record(settings, to))
        typer.echo("Each table has as many rows there, with the same digest.", err=True)
        typer.echo("From now on set database.url to it; the old one is left as it was.", err=True)


def read_text(file: str) -> str:
    """A file's text, or standard input's; raises UserError."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {file}: {error}") from None


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: a person's mistake is one line and status 2, never a traceback.

    `arguments` without the command's own name; unset, they are the process's.
    """
    try:
        app(None if arguments is None else list(arguments))
    except UserError as error:
        typer.echo(f"rankloop: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
