/** The talk itself: line by line, message or command, each turn to its end before the next. */
import { CallError, messageOf } from './call-failure.ts';
import { type CommandName, commandsHelp, readRequest } from './commands.ts';
import type { GatewayCalls } from './gateway-calls.ts';
import { meaningOfInterrupt } from './interrupt.ts';
import type { Lines } from './lines.ts';
import { pickSession } from './pick-session.ts';
import { persistently } from './retries.ts';
import type { Screen } from './screen.ts';
import { createSession, lastItems, readSession, transcript } from './sessions.ts';
import { runTurn, type TurnResult } from './turn.ts';

export interface ChatOptions {
  readonly calls: GatewayCalls;
  readonly screen: Screen;
  readonly lines: Lines;
  /** Somebody sits there. */
  readonly isTerminal: boolean;
  readonly session: string | undefined;
  readonly model: string | undefined;
  readonly instructions: string | undefined;
}

const prompt = '› ';

export class Chat {
  readonly #options: ChatOptions;
  #session: string | undefined;
  #model: string | undefined;
  /** Of the turn that runs. */
  #stop: AbortController | undefined;
  #wasInterrupted = false;
  #hasFailed = false;

  constructor(options: ChatOptions) {
    this.#options = options;
    this.#session = options.session;
    this.#model = options.model;
  }

  /** Resolves when the user leaves, with the exit code. */
  async run(): Promise<number> {
    const { lines, isTerminal } = this.#options;
    if (isTerminal && this.#session !== undefined) await this.#guard(() => this.#showHistory());
    let goesOn = true;
    while (goesOn) {
      const line = await lines.next(prompt);
      if (line === undefined) break;
      this.#wasInterrupted = false;
      goesOn = await this.#take(line);
    }
    return isTerminal || !this.#hasFailed ? 0 : 1;
  }

  /** @returns whether the user leaves */
  interrupt(hasTyped: boolean): 'leave' | undefined {
    const { screen, lines, isTerminal } = this.#options;
    const isTurnRunning = this.#stop !== undefined;
    const meaning = meaningOfInterrupt({ isTurnRunning, isSecond: this.#wasInterrupted, isTerminal, hasTyped });
    this.#wasInterrupted = meaning !== 'clear_line';
    switch (meaning) {
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
        this.#stop?.abort();
        return undefined;
    }
  }

  /** Last words: how to come back. */
  farewell(): void {
    if (this.#session !== undefined) this.#options.screen.notice(`turnkeep chat --session ${this.#session} goes on here`);
  }

  /** @returns whether to go on */
  async #take(line: string): Promise<boolean> {
    const { screen } = this.#options;
    const request = readRequest(line);
    switch (request.type) {
      case 'nothing':
        return true;
      case 'message':
        return this.#say(request.text);
      case 'unknown':
        this.#hasFailed = true;
        screen.notice(`there is no command /${request.name}: /help lists them, //${request.name} sends it as a message`);
        return true;
      case 'command': {
        const { name, argument } = request;
        if (name === 'quit') return false;
        await this.#guard(() => this.#command(name, argument));
        return true;
      }
    }
  }

  async #say(input: string): Promise<boolean> {
    const { calls, screen, isTerminal, instructions } = this.#options;
    const stop = new AbortController();
    this.#stop = stop;
    try {
      const show = screen.show.bind(screen);
      this.#session ??= await persistently(() => createSession(calls), show, stop.signal);
      if (this.#session === undefined) return this.#tell({ status: 'cancelled' });
      const model = this.#model;
      const body = {
        conversation: this.#session,
        input,
        ...(model === undefined ? {} : { model }),
        ...(instructions === undefined ? {} : { instructions }),
      };
      return this.#tell(await runTurn({ calls, body, show, stop: stop.signal }));
    } catch (error) {
      if (error instanceof CallError) return this.#tell({ status: 'lost', wasSent: false, failure: error.failure });
      throw error;
    } finally {
      this.#stop = undefined;
      if (isTerminal) screen.lines('');
    }
  }

  /** @returns whether to go on: in a pipe, not where the next message would meet the same trouble */
  #tell(result: TurnResult): boolean {
    const { screen, isTerminal } = this.#options;
    if (result.status !== 'completed') this.#hasFailed = true;
    if (result.status !== 'lost') return true;
    const what = messageOf(result.failure);
    screen.notice(result.wasSent ? `lost sight of the answer (${what}); it goes on by itself: see /history later` : `not sent: ${what}`);
    return isTerminal;
  }

  async #command(name: Exclude<CommandName, 'quit'>, argument: string): Promise<void> {
    const { calls, screen, lines, isTerminal } = this.#options;
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
        const picked = await pickSession({ calls, screen, lines: isTerminal ? lines : undefined });
        if (picked !== undefined) await this.#goTo(picked);
      }
    }
  }

  async #goTo(id: string): Promise<void> {
    await readSession(this.#options.calls, id);
    this.#session = id;
    this.#options.screen.notice(`session: ${id}`);
    if (this.#options.isTerminal) await this.#showHistory();
  }

  async #showHistory(): Promise<void> {
    const { calls, screen } = this.#options;
    if (this.#session === undefined) {
      screen.notice('nothing was said yet');
      return;
    }
    const { items, hasMore } = await lastItems(calls, this.#session);
    screen.lines(`\n${transcript(items, hasMore)}\n`);
  }

  /** A call that fails is told and does not end the chat. */
  async #guard(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.#hasFailed = true;
      this.#options.screen.notice(messageOf(error.failure));
    }
  }
}
