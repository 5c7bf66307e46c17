/**
 * An MCP server, as the configuration names it: a program that a worker starts, or a URL that it calls. Its `env` and its
 * `headers` are secrets (T11); `needsApproval` may name single tools.
 */
export type McpServer = { readonly name: string; readonly needsApproval: 'always' | 'never' | readonly string[] } & (
  | { readonly command: string; readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> }
  | { readonly url: string; readonly headers: Readonly<Record<string, string>> }
);
