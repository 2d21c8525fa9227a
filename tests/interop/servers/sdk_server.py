"""The same notes behind the official Python SDK, which leaves the verification of tokens to the author: PyJWT here.

With `NOTES_DEFAULTS` it leaves unset what the SDK does not insist on.
"""

import asyncio
import os

import jwt
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

issuer = os.environ["NOTES_ISSUER"]
resource = os.environ["NOTES_RESOURCE"]
keys = jwt.PyJWKClient(f"{issuer}/jwks")


class Verifier:
    """Reads who a token is for and leaves the comparison to `validate_token_resource`."""

    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            claims = await asyncio.to_thread(self.claims, token)
        except jwt.PyJWTError:
            return None
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        return AccessToken(
            token=token,
            client_id=str(claims.get("client_id", "")),
            scopes=str(claims.get("scope", "")).split(),
            expires_at=claims["exp"],
            resource=resource if resource in named else str(audience),
            # Whose sessions are whose; without these two all users of one client are one.
            subject=claims.get("sub"),
            claims=claims,
        )

    def claims(self, token: str) -> dict:
        key = keys.get_signing_key_from_jwt(token).key
        options = {"require": ["exp", "iss"], "verify_aud": False}
        return jwt.decode(token, key, algorithms=["RS256", "ES256"], issuer=issuer, options=options)


settings = AuthSettings(
    issuer_url=issuer,
    resource_server_url=resource,
    required_scopes=["notes:read"],
    # Unset, which is the default, it warns and accepts tokens for any resource.
    validate_token_resource=None if "NOTES_DEFAULTS" in os.environ else True,
)
server = MCPServer("notes", token_verifier=Verifier(), auth=settings, log_level="WARNING")
notes = {1: "Buy bread on Friday.", 2: "The spare key is with Tove."}
reads = ToolAnnotations(read_only_hint=True)


@server.tool(annotations=reads)
def list_notes() -> list[str]:
    """List all notes."""
    return [f"{number}: {text}" for number, text in notes.items()]


@server.tool(annotations=reads)
def get_note(id: int) -> str:
    """Show one note by its id."""
    return notes[id]


@server.tool(annotations=reads)
def whoami() -> str:
    """Say who is asking."""
    return str(get_access_token().subject)


@server.tool(annotations=reads)
def repeat(text: str) -> str:
    """Repeat a text."""
    return text


server.run(transport="streamable-http", host="127.0.0.1", port=int(os.environ["PORT"]))
