"""Notes behind FastMCP, set up as its documentation says: tokens of one issuer, for this server, with `notes:read`."""

import os

from fastmcp import FastMCP
from fastmcp.server.auth import RemoteAuthProvider, require_scopes
from fastmcp.server.auth.providers.jwt import JWTVerifier
from pydantic import AnyHttpUrl

issuer = os.environ["NOTES_ISSUER"]
resource = os.environ["NOTES_RESOURCE"]
# Unset, as it is by default, a token for any resource of the issuer will do.
audience = os.environ.get("NOTES_AUDIENCE")
verifier = JWTVerifier(
    jwks_uri=f"{issuer}/jwks", issuer=issuer, audience=audience, required_scopes=["notes:read"]
)
# Its type, as documented; it puts a slash behind an issuer without a path, which a plain string avoids.
named = issuer if os.environ.get("NOTES_PLAIN_ISSUER") else AnyHttpUrl(issuer)
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


server.run(transport="http", host="127.0.0.1", port=int(os.environ["PORT"]), show_banner=False)
