"""The pages to sign in on, as HTML: plain forms, which need no script, but for the invitation's.

Every text that is not ours is escaped; what stands here loads nothing from elsewhere.
"""

from __future__ import annotations

from html import escape

from ui.sign_in_client import Ways

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Rankloop</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/sign-in/look.css">
{head}</head>
<body>
<main>
<h1><span class="logo" aria-hidden="true"></span>Rankloop</h1>
<section>
<h2>{title}</h2>
{body}
</section>
</main>
</body>
</html>
"""

FIELD = """<label>{label}
<input name="{name}" type="{kind}" autocomplete="{fill}" required{more}></label>
"""


def sign_in(ways: Ways, *, name: str = "", wrong: str = "") -> str:
    """Name and password; a link to the OpenID provider, if there is one."""
    form = _field("name", "Name", "text", "username", f'value="{escape(name)}" maxlength="256"')
    form += _field("password", "Password", "password", "current-password")
    note = ""
    if "key" in ways.ways:
        note = "<p>The owner signs in with any name and the key that Rankloop runs with.</p>"
    body = _note(wrong) + _form("/sign-in", form, "Sign in") + note
    if "openid" in ways.ways:
        label = escape(ways.label or "OpenID")
        body += f'<p class="or">or</p><a class="button" href="/sign-in/openid">Go to {label}</a>'
    return _page("Sign in", body)


def invitation(*, name: str = "", invitation: str = "", wrong: str = "") -> str:
    """A password to choose. Name and text of the invitation stand behind the link's #, from where a
    script takes them into the form and out of the address."""
    kept = f'value="{escape(name)}" readonly maxlength="256"'
    form = _field("name", "Name", "text", "username", kept)
    form += f'<input type="hidden" name="invitation" value="{escape(invitation)}">'
    form += _new_password()
    body = "<p>You are invited. Choose a password to come in with from now on.</p>"
    body += _note(wrong) + _form("/invitation", form, "Come in")
    return _page("Welcome", body, '<script src="/sign-in/invitation.js" defer></script>\n')


def password(name: str, *, wrong: str = "") -> str:
    """Another password; whoever is signed in elsewhere is signed out there."""
    kept = f'value="{escape(name)}" readonly'
    form = _field("name", "Name", "text", "username", kept)
    form += _field("old", "Password until now", "password", "current-password")
    form += _new_password()
    body = "<p>Wherever else you are signed in, you will be signed out.</p>"
    body += _note(wrong) + _form("/password", form, "Change it")
    return _page("Change your password", body + '<p><a href="/">Back</a></p>')


def told(title: str, text: str) -> str:
    """A sentence, and the way back."""
    return _page(title, _note(text) + '<p><a href="/sign-in">Sign in</a></p>')


def _new_password() -> str:
    form = _field("new", "New password", "password", "new-password", 'minlength="10"')
    form += _field("again", "The same again", "password", "new-password", 'minlength="10"')
    return form + "<p>At least 10 characters; a few words are easier to keep than one.</p>"


def _field(name: str, label: str, kind: str, fill: str, more: str = "") -> str:
    return FIELD.format(name=name, label=label, kind=kind, fill=fill, more=more and f" {more}")


def _form(to: str, fields: str, button: str) -> str:
    return f'<form method="post" action="{to}">\n{fields}<button>{button}</button>\n</form>\n'


def _note(wrong: str) -> str:
    return f'<p class="wrong" role="alert">{escape(wrong)}</p>\n' if wrong else ""


def _page(title: str, body: str, head: str = "") -> str:
    return PAGE.format(title=title, body=body, head=head)
