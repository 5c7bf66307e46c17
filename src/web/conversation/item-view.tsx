/** One item of a conversation. */
import { lazy, memo, type ReactNode, Suspense } from 'react';
import { pretty, visible } from '../shell/words.tsx';
import type { ShownItem } from './shown-item.ts';

const Markdown = lazy(async () => ({ default: (await import('./markdown.tsx')).Markdown }));

export const ItemView = memo(function ItemView({ item }: { readonly item: ShownItem }): ReactNode {
  switch (item.type) {
    case 'message':
      return <Message item={item} />;
    case 'reasoning':
      return item.text === '' ? null : (
        <details className="fold reasoning">
          <summary>Reasoning</summary>
          <div className="plain-text">{item.text}</div>
        </details>
      );
    case 'function_call':
    case 'mcp_call':
      return <Call item={item} />;
    case 'function_call_output':
      return (
        <details className="fold">
          <summary>Output of the call</summary>
          <Code text={item.output ?? ''} />
        </details>
      );
    case 'mcp_approval_request':
      return <Call item={item} words="asked for approval" />;
    case 'mcp_approval_response':
      return (
        <p className="aside">
          {item.answers?.approve === true ? 'You approved the call.' : 'You refused the call.'}
          {item.answers?.reason ? ` “${item.answers.reason}”` : ''}
        </p>
      );
    default:
      return (
        <details className="fold">
          <summary>{item.type}</summary>
          <Code text={item.json ?? ''} />
        </details>
      );
  }
});

function Message({ item: { role, text, status } }: { readonly item: ShownItem }): ReactNode {
  if (role !== 'assistant') {
    return (
      <article className="message user" aria-label={role === 'user' ? 'You' : (role ?? 'Message')}>
        {role === 'user' ? null : <p className="role">{role}</p>}
        <div className="plain-text">{text}</div>
      </article>
    );
  }
  return (
    <article className="message assistant" aria-label="Answer">
      <Suspense fallback={<div className="plain-text">{text}</div>}>
        <Markdown text={text} />
      </Suspense>
      {status === 'incomplete' ? <p className="aside">cut off here</p> : null}
    </article>
  );
}

const callWords: { readonly [status: string]: string } = {
  completed: 'done',
  in_progress: 'running',
  calling: 'running',
  incomplete: 'stopped',
  failed: 'failed',
};

function Call({ item, words }: { readonly item: ShownItem; readonly words?: string }): ReactNode {
  const { status, error, output } = item;
  const end =
    words ?? (error !== undefined ? 'failed' : (callWords[status ?? ''] ?? (item.type === 'function_call' ? 'called' : 'running')));
  return (
    <details className={end === 'failed' ? 'fold call failed' : 'fold call'}>
      <summary>
        <code>{toolName(item)}</code> <span className="call-end">{end}</span>
      </summary>
      <p className="label">Arguments</p>
      <Code text={item.arguments ?? ''} />
      {output === undefined ? null : (
        <>
          <p className="label">Result</p>
          <Code text={output} />
        </>
      )}
      {error === undefined ? null : (
        <>
          <p className="label">What failed</p>
          <Code text={error} />
        </>
      )}
    </details>
  );
}

/** A tool of turnkeep's own configuration has no server worth naming. */
export function toolName({ server, name = '?' }: Pick<ShownItem, 'server' | 'name'>): string {
  return visible(server === undefined || server === 'turnkeep' ? name : `${server}: ${name}`);
}

/** More than anybody reads, and less than makes a browser slow. */
const longestShown = 50_000;

export function Code({ text }: { readonly text: string }): ReactNode {
  const shown = visible(pretty(text));
  const left = shown.length - longestShown;
  return (
    <pre className="code" tabIndex={0}>
      {left <= 0 ? shown : `${shown.slice(0, longestShown)}\n… and ${left} more characters`}
    </pre>
  );
}
