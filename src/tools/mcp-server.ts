/** An MCP server of the configuration: a program that a worker starts, or an address that it calls. Pure data. */

/**
 * Which of a server's tools wait for a person before they run; a list names those that wait. `always` where nothing is said,
 * as OpenAI has it: what a server's tools do, and what their descriptions make a model do, is the server's to change at any
 * time, so the owner of the configuration says which ones may run unseen.
 */
export type McpApproval = 'always' | 'never' | readonly string[];

export type McpServer = {
  /** Of the configuration: the `server_label` of its tools. */
  readonly name: string;
  readonly needsApproval: McpApproval;
} & (
  | {
      /** Over its standard input and output. */
      readonly command: string;
      readonly args: readonly string[];
      /** All that it gets of the worker's environment is what is here, and what a program needs to start (`PATH`, `HOME`). */
      readonly env: Readonly<Record<string, string>>;
    }
  | {
      /** Streamable HTTP. */
      readonly url: string;
      /** Secrets of the worker: nobody else sees them. */
      readonly headers: Readonly<Record<string, string>>;
    }
);
