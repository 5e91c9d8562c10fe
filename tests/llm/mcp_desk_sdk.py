"""The desk of `mcp_desk`, in part, as a server of the official package."""

from mcp.server.mcpserver import MCPServer

desk = MCPServer("desk", log_level="CRITICAL")


@desk.tool()
def find(name: str, strict: bool = False) -> str:
    """The orders of somebody."""
    if not name:
        raise ValueError("no name")
    return f"{name} has order 7"


desk.run("stdio")
