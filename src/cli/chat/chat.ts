/** The chat's loop: a line, message or command, and then each turn to its end before the next line. */
import { answerByCurl, type ApprovalAnswer, approvalText, askApprovals } from './approvals.ts';
import { CallError, describeFailure } from '../../http-client/call-error.ts';
import type { GatewayClient } from '../../http-client/calls.ts';
import { withRetries } from '../../http-client/retry.ts';
import { actionOf, type CommandName, commandsHelp, readLine } from './input.ts';
import type { Lines } from './lines.ts';
import { pickSession } from './pick-session.ts';
import type { Screen } from './screen.ts';
import { createSession, isUnknownSession, lastItems, openApprovals, readSession, runningTurn, transcript } from './sessions.ts';
import { runTurn, type Show, showRetry, type TurnEnd, type TurnOptions, type TurnResult } from './turn.ts';

export interface ChatOptions {
  readonly client: GatewayClient;
  readonly screen: Screen;
  readonly lines: Lines;
  /** A person types and reads. */
  readonly isTerminal: boolean;
  readonly session: string | undefined;
  /** A model's name, or an agent's. */
  readonly model: string | undefined;
  /** Said when the user leaves, for the way back. */
  readonly agent?: string | undefined;
  /** The gateway wants a key. */
  readonly hasKey?: boolean;
  readonly instructions: string | undefined;
}

const prompt = '› ';

/** In a pipe: a call waits for an approval. */
const waitsCode = 3;

export class Chat {
  readonly #options: ChatOptions;
  #session: string | undefined;
  #model: string | undefined;
  /** Cancels the turn that runs; undefined while none does. */
  #running: AbortController | undefined;
  #wasInterrupted = false;
  #hasFailed = false;
  #isStopped = false;

  constructor(options: ChatOptions) {
    this.#options = options;
    this.#session = options.session;
    this.#model = options.agent ?? options.model;
  }

  /** Resolves when the user leaves, with the exit code. */
  async run(): Promise<number> {
    const { lines, isTerminal } = this.#options;
    if (isTerminal && this.#session !== undefined) await this.#comeBack();
    let goesOn = true;
    while (goesOn) {
      const line = await lines.next(prompt);
      if (line === undefined) break;
      this.#wasInterrupted = false;
      goesOn = await this.#handleLine(line);
    }
    if (isTerminal) return 0;
    return this.#isStopped ? waitsCode : this.#hasFailed ? 1 : 0;
  }

  /** Of Ctrl-C. */
  interrupt(hasTyped: boolean): 'leave' | undefined {
    const { screen, lines, isTerminal } = this.#options;
    const isTurnRunning = this.#running !== undefined;
    const action = actionOf({ isTurnRunning, isSecond: this.#wasInterrupted, isTerminal, hasTyped });
    this.#wasInterrupted = action !== 'clear_line';
    switch (action) {
      case 'leave':
        return 'leave';
      case 'clear_line':
        lines.clear();
        return undefined;
      case 'warn':
        lines.interject('Ctrl-C again leaves');
        return undefined;
      case 'stop_turn':
        screen.notice('stopping; Ctrl-C again leaves');
        this.#running?.abort();
        return undefined;
    }
  }

  /** Shows how to come back to this session. */
  showSession(): void {
    if (this.#session === undefined) return;
    const { screen, agent } = this.#options;
    screen.notice(`turnkeep chat${agent === undefined ? '' : ` --agent ${agent}`} --session ${this.#session} goes on here`);
  }

  /** @returns whether to go on */
  async #handleLine(line: string): Promise<boolean> {
    const { screen } = this.#options;
    const input = readLine(line);
    switch (input.type) {
      case 'nothing':
        return true;
      case 'message':
        return this.#send(input.text);
      case 'unknown':
        this.#hasFailed = true;
        screen.notice(`there is no command /${input.name}: /help lists them, //${input.name} sends it as a message`);
        return true;
      case 'command': {
        const { name, argument } = input;
        if (name === 'quit') return false;
        let goesOn = true;
        await this.#reportFailure(async () => {
          if (name === 'approve') goesOn = await this.#askAgain();
          else await this.#runCommand(name, argument);
        });
        return goesOn;
      }
    }
  }

  async #send(input: string | readonly ApprovalAnswer[], model = this.#model): Promise<boolean> {
    const { client, instructions } = this.#options;
    return this.#runTurn(async (signal, show) => {
      this.#session ??= await withRetries(() => createSession(client), { signal, onRetry: (retry) => showRetry(show, retry) });
      const body = {
        conversation: this.#session,
        input,
        ...(model === undefined ? {} : { model }),
        ...(instructions === undefined ? {} : { instructions }),
      };
      return { body };
    });
  }

  /** What was said, and the answer that is still running. */
  async #comeBack(): Promise<void> {
    await this.#reportFailure(async () => {
      const { client, screen } = this.#options;
      const running = this.#session === undefined ? undefined : await runningTurn(client, this.#session);
      await this.#showHistory();
      if (running === undefined) {
        if (this.#session !== undefined) await this.#ask(await openApprovals(client, this.#session));
        return;
      }
      screen.notice('an answer is still running; Ctrl-C stops it');
      await this.#runTurn(async () => ({ id: running }));
    });
  }

  /** @returns whether to go on */
  async #runTurn(begin: (signal: AbortSignal, show: Show) => Promise<TurnOptions['turn']>): Promise<boolean> {
    const end = await this.#showTurn(begin);
    return this.#report(end.result) && this.#ask(end);
  }

  /** What waits for the user, who may answer it now. @returns whether to go on */
  async #ask({ asked, model }: Omit<TurnEnd, 'result'>): Promise<boolean> {
    const { client, screen, lines, isTerminal, hasKey = false } = this.#options;
    if (asked.length === 0) return true;
    if (!isTerminal) {
      for (const request of asked) screen.lines(approvalText(request));
      screen.notice('this answers it ("approve": false refuses it); what follows in the pipe is not sent');
      screen.lines(answerByCurl({ url: client.url, hasKey, model, session: this.#session, asked }));
      this.#isStopped = true;
      return false;
    }
    this.#wasInterrupted = false;
    const answers = await askApprovals(asked, { screen, lines });
    if (answers === undefined) return false;
    if (answers.length < asked.length) screen.notice('/approve asks again what you have left open');
    return answers.length === 0 || this.#send(answers, model);
  }

  async #askAgain(): Promise<boolean> {
    const { client, screen } = this.#options;
    const open = this.#session === undefined ? undefined : await openApprovals(client, this.#session);
    if (open !== undefined && open.asked.length > 0) return this.#ask(open);
    screen.notice('nothing waits for your approval');
    return true;
  }

  async #showTurn(begin: (signal: AbortSignal, show: Show) => Promise<TurnOptions['turn']>): Promise<TurnEnd> {
    const { client, screen, isTerminal } = this.#options;
    const running = new AbortController();
    const { signal } = running;
    this.#running = running;
    try {
      const show = screen.show.bind(screen);
      return await runTurn({ client, turn: await begin(signal, show), show, cancelSignal: signal });
    } catch (error) {
      if (error instanceof CallError) return ended({ status: 'lost', wasSent: false, failure: error.failure });
      // Stopped before there was a session to send it in.
      if (error === signal.reason) return ended({ status: 'cancelled' });
      throw error;
    } finally {
      this.#running = undefined;
      if (isTerminal) screen.lines('');
    }
  }

  /** @returns whether to go on: in a pipe, not when the gateway is lost, which would lose the next message too */
  #report(result: TurnResult): boolean {
    const { screen, isTerminal } = this.#options;
    if (result.status !== 'completed') this.#hasFailed = true;
    if (result.status !== 'lost') return true;
    const what = describeFailure(result.failure);
    screen.notice(result.wasSent ? `lost sight of the answer (${what}); it goes on by itself: see /history later` : `not sent: ${what}`);
    return isTerminal;
  }

  async #runCommand(name: Exclude<CommandName, 'quit' | 'approve'>, argument: string): Promise<void> {
    const { client, screen, lines, isTerminal } = this.#options;
    switch (name) {
      case 'help':
        screen.lines(commandsHelp());
        return;
      case 'new':
        this.#session = undefined;
        screen.notice('a new session begins with your next message');
        return;
      case 'model':
        if (argument !== '') this.#model = argument;
        screen.notice(`model: ${this.#model ?? "the gateway's own choice"}`);
        return;
      case 'history':
        await this.#showHistory();
        return;
      case 'session':
        if (argument !== '') await this.#goTo(argument);
        else screen.notice(`session: ${this.#session ?? 'a new one, with your next message'}`);
        return;
      case 'sessions': {
        const picked = await pickSession({ client, screen, lines: isTerminal ? lines : undefined });
        if (picked !== undefined) await this.#goTo(picked);
      }
    }
  }

  async #goTo(id: string): Promise<void> {
    const { client, screen, isTerminal } = this.#options;
    const isThere = await readSession(client, id).then(
      () => true,
      (error: unknown) => {
        if (!isUnknownSession(error)) throw error;
        this.#hasFailed = true;
        screen.notice(`there is no session ${id}: /sessions lists them`);
        return false;
      },
    );
    if (!isThere) return;
    this.#session = id;
    screen.notice(`session: ${id}`);
    if (isTerminal) await this.#comeBack();
  }

  async #showHistory(): Promise<void> {
    const { client, screen } = this.#options;
    if (this.#session === undefined) {
      screen.notice('nothing was said yet');
      return;
    }
    const { items, hasMore } = await lastItems(client, this.#session);
    screen.lines(`\n${transcript(items, hasMore)}\n`);
  }

  /** A call that fails is a notice, and does not end the chat. */
  async #reportFailure(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.#hasFailed = true;
      this.#options.screen.notice(describeFailure(error.failure));
    }
  }
}

function ended(result: TurnResult): TurnEnd {
  return { result, asked: [], model: undefined };
}
