"""Notes behind FastMCP: tokens of one issuer, for this server, with `notes:read`.

With `NOTES_DEFAULTS` it does only what the first page of the documentation does, and leaves the rest as it is.
"""

import os

from fastmcp import FastMCP
from fastmcp.server.auth import RemoteAuthProvider, require_scopes
from fastmcp.server.auth.providers.jwt import JWTVerifier
from fastmcp.server.dependencies import get_access_token
from pydantic import AnyHttpUrl

issuer = os.environ["NOTES_ISSUER"]
resource = os.environ["NOTES_RESOURCE"]
is_careful = "NOTES_DEFAULTS" not in os.environ
# Without an audience, which is the default, a token for any resource of the issuer will do.
audience = resource if is_careful else None
verifier = JWTVerifier(
    jwks_uri=f"{issuer}/jwks", issuer=issuer, audience=audience, required_scopes=["notes:read"]
)
# The documented type puts a slash behind an issuer without a path, which a plain string avoids.
named = issuer if is_careful else AnyHttpUrl(issuer)
auth = RemoteAuthProvider(
    token_verifier=verifier, authorization_servers=[named], base_url=resource.removesuffix("/mcp")
)
server = FastMCP("notes", auth=auth)
notes = {1: "Buy bread on Friday.", 2: "The spare key is with Tove."}


@server.tool(annotations={"readOnlyHint": True})
def list_notes() -> list[str]:
    """List all notes."""
    return [f"{number}: {text}" for number, text in notes.items()]


@server.tool(annotations={"readOnlyHint": True})
def get_note(id: int) -> str:
    """Show one note by its id."""
    return notes[id]


@server.tool(auth=require_scopes("notes:write"))
def archive_note(id: int) -> str:
    """Archive the note with this id, so that it is no longer on the desk."""
    return f"Note {id} is archived."


@server.tool(annotations={"readOnlyHint": True})
def whoami() -> str:
    """Say who is asking."""
    return get_access_token().subject


@server.tool(annotations={"readOnlyHint": True})
def repeat(text: str) -> str:
    """Repeat a text."""
    return text


# By default neither `Host` nor `Origin` is looked at.
server.run(
    transport="http",
    host="127.0.0.1",
    port=int(os.environ["PORT"]),
    host_origin_protection=is_careful,
    show_banner=False,
)
