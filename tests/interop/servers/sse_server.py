"""Notes behind the official Python SDK's HTTP+SSE transport of 2024-11-05."""

import asyncio
import os

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("notes", log_level="WARNING")
notes = {1: "Buy bread on Friday.", 2: "The spare key is with Tove."}


@server.tool()
def get_note(id: int) -> str:
    """Show one note by its id."""
    return notes[id]


@server.tool()
async def wait(steps: int, ctx: Context) -> str:
    """Wait for some steps and report progress."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps)
        await asyncio.sleep(0.05)
    return "waited"


server.run(transport="sse", host="127.0.0.1", port=int(os.environ["PORT"]))
