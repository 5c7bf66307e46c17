/**
 * An MCP server, as the configuration names it: a program that each worker starts, or a URL that it calls.
 *
 * The values of `env` and `headers`, and what a URL carries as user, password or query, are secrets: they are given to the
 * server alone, and stand in no history, log or error (T11). A program gets its `env` and of the worker's own environment only
 * what is harmless (`HOME`, `LOGNAME`, `PATH`, `SHELL`, `TERM`, `USER`). `needsApproval` says of which tools each call is asked
 * for first: of all, of none, or of those that it names, as the server lists them.
 *
 * For instance:
 *
 *     { name: 'files', needsApproval: ['write_file'], command: 'mcp-server-filesystem', args: ['/srv'], env: {} }
 *     { name: 'issues', needsApproval: 'never', url: 'https://mcp.example.com/mcp', headers: { Authorization: 'Bearer …' } }
 */
export type McpServer = { readonly name: string; readonly needsApproval: 'always' | 'never' | readonly string[] } & (
  | { readonly command: string; readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> }
  | { readonly url: string; readonly headers: Readonly<Record<string, string>> }
);
