# says: Leaves an MCP server that an agent of the host would start.
# stopped by: report
# proof: unreported /workspace/.mcp.json
# source: .mcp.json
echo '{"mcpServers": {"x": {"command": "touch"}}}' >"$WORK/.mcp.json"
