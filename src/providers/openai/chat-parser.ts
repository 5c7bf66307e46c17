/** Parses a Chat Completions stream, as OpenAI and the many servers that imitate it send it. */
import type { Json } from '../../domain/item.ts';
import type { ModelEvent, ModelFinish } from '../../domain/model.ts';
import { failureOfStreamError, readErrorBody, statesError } from '../failures/error-body.ts';
import { protocolError } from '../failures/model-failure.ts';
import { asArray, asRecord, asText, type JsonRecord } from '../json.ts';
import { ProviderError } from '../provider.ts';
import type { TakesText } from './call-arguments.ts';
import { ChatCalls } from './chat-calls.ts';
import { CustomPieces } from './custom-pieces.ts';
import { contentParts, joinDetails, type ReasoningField, reasoningOf } from './chat-content.ts';
import { readFinishReason } from './finish-reason.ts';
import type { NewId } from './new-ids.ts';
import { StreamParser } from './stream-parser.ts';
import { isMoreTelling, readUsage } from './usage.ts';

export class ChatParser extends StreamParser {
  readonly #calls: ChatCalls;
  readonly #custom: CustomPieces;
  /** The text so far: a whole message behind the deltas may have more of it. */
  #text = '';
  #hasCalls = false;
  /** Whether the chunk that is read has nothing of an answer. */
  #saysNothing = true;
  /** The finish reason that came last; undefined again where content came after it. */
  #stated: ModelFinish | undefined;
  /** Whether it came in a chunk of its own: a server that states one with every chunk may be about to say more. */
  #isStatedAlone = false;
  /** Whether one has ever come beside content. */
  #isStatedBeside = false;
  #hasChoices = false;
  /** The index of the choice that is told, and those of the ones before it. */
  #choice: number | undefined;
  readonly #earlierChoices = new Set<number>();
  /** The last one, whatever came after it. */
  #lastStated: ModelFinish | undefined;
  /** The field of the reasoning that is being told, on its first delta. */
  #field: ReasoningField | undefined;
  #isReasoning = false;
  #hasReasoning = false;
  #details: readonly Json[] = [];

  /**
   * @param toolNames of the tools that the request offers
   * @param functionNames those of them that are functions
   * @param takesText whose calls are whole without JSON
   */
  constructor(
    toolNames: Iterable<string> = [],
    functionNames: Iterable<string> = [],
    maxHeld?: number,
    takesText?: TakesText,
    newId?: NewId,
  ) {
    super(maxHeld);
    this.#custom = new CustomPieces(functionNames);
    this.#calls = new ChatCalls(
      {
        show: (delta, out) => {
          this.#leaveReasoning(out);
          this.#emit(delta, out);
        },
        addFields: (delta, out) => this.emitFields(delta, out),
        hold: (chars) => this.hold(chars),
      },
      toolNames,
      takesText,
      newId,
    );
  }

  protected readBody(chunk: JsonRecord, _name: string | undefined, out: ModelEvent[]): void {
    const choices = listOf(chunk['choices']);
    const isOwn = choices.length > 0 || Array.isArray(chunk['choices']) || isSet(chunk['usage']);
    this.checkApi(isOwn, asText(chunk['type'])?.startsWith('response.') === true ? 'responses' : undefined);
    // One answer was asked for, so that a chunk has one choice, whatever its index.
    const choice = (choices.length > 1 ? choices.find(({ index }) => (index ?? 0) === 0) : undefined) ?? choices[0];
    const tier = asText(chunk['service_tier']);
    if (tier !== undefined) this.serviceTier = tier;
    const isCounted = this.#readUsage(chunk['usage'] ?? choice?.['usage'] ?? asRecord(chunk['x_groq'])?.['usage']);
    if (choice !== undefined) this.#readChoice(choice, out);
    else if (isCounted && this.#stated !== undefined) this.isOver = true;
  }

  /** @returns whether there are counts: a server may send placeholders before them, and after */
  #readUsage(value: unknown): boolean {
    if (!isSet(value)) return false;
    const usage = readUsage(value);
    if (usage === undefined) return false;
    if (this.usage === undefined || isMoreTelling(usage, this.usage)) this.usage = usage;
    return usage.output_tokens > 0;
  }

  /** One index that comes again behind another is that of a second answer, in turns with the first. */
  #checkIndex({ index, delta }: JsonRecord): void {
    if (typeof index !== 'number' || index === this.#choice) return;
    const { content, tool_calls } = asRecord(delta) ?? {};
    if ((!isSet(content) || content === '') && asArray(tool_calls).length === 0) return;
    if (this.#earlierChoices.has(index)) throw protocolError('choices_in_turns');
    if (this.#choice !== undefined) this.#earlierChoices.add(this.#choice);
    this.#choice = index;
  }

  #readChoice(choice: JsonRecord, out: ModelEvent[]): void {
    this.#checkIndex(choice);
    // OpenRouter has a place for an error in the choice, too.
    if (asRecord(choice['error']) !== undefined && statesError(choice))
      throw new ProviderError(failureOfStreamError(readErrorBody(choice)));
    const isFirst = !this.#hasChoices;
    this.#hasChoices = true;
    this.#saysNothing = true;
    const delta = asRecord(choice['delta']) ?? (typeof choice['delta'] === 'string' ? { content: choice['delta'] } : undefined);
    if (delta !== undefined) this.#readDelta(delta, out);
    const message = asRecord(choice['message']);
    if (message !== undefined) this.#readMessage(message, out);
    // The form of completions, without roles.
    else if (delta === undefined) this.#readDelta({ content: choice['text'] }, out);
    const reason = choice['finish_reason'] ?? delta?.['finish_reason'];
    const result = isSet(reason) ? readFinishReason(reason) : undefined;
    if (result === undefined) return;
    if ('failure' in result) throw new ProviderError(result.failure);
    this.#state(result.finish, out);
    // A first chunk that only names the role is no answer yet.
    this.#isStatedBeside ||= !this.#saysNothing;
    this.#isStatedAlone ||= this.#saysNothing && !(isFirst && isSet(delta?.['role']));
  }

  /**
   * A whole message: caches, and servers that cannot stream, send it instead of deltas; others repeat it behind the deltas, or
   * with each. What the deltas have not told of it counts.
   */
  #readMessage(message: JsonRecord, out: ModelEvent[]): void {
    const { content, tool_calls, function_call, ...rest } = message;
    const text = contentParts(content);
    const isNew = this.#text === '' && !this.hasOutput;
    const said = text.flatMap((part) => (part.type === 'text' ? part.text : [])).join('');
    if (isNew) this.#readDelta({ ...(this.#hasReasoning ? { refusal: rest['refusal'] } : rest), content }, out);
    else if (said.length > this.#text.length && said.startsWith(this.#text))
      this.#readDelta({ content: said.slice(this.#text.length) }, out);
    if (!this.#hasCalls) this.#readDelta({ tool_calls, function_call }, out);
  }

  #readDelta(delta: JsonRecord, out: ModelEvent[]): void {
    const reasoning = reasoningOf(delta);
    if (reasoning !== undefined) {
      this.#saysNothing = false;
      if (reasoning.details.length > 0) this.hold(JSON.stringify(reasoning.details).length);
      this.#details = joinDetails(this.#details, reasoning.details);
      this.#emitReasoning(reasoning.text, reasoning.field, out);
    }
    const { content } = delta;
    if (typeof content === 'string') this.#emitText('text', content, out);
    else if (isSet(content)) this.#readParts(content, out);
    if (isSet(delta['refusal'])) for (const { text } of contentParts(delta['refusal'])) this.#emitText('refusal', text, out);
    const calls = delta['tool_calls'];
    // The form before `tool_calls`, which some servers still send.
    const legacy = asRecord(delta['function_call']);
    if (!isSet(calls) && legacy === undefined) return;
    this.#calls.beginChunk();
    for (const piece of listOf(calls)) this.#readCall(piece, out);
    if (legacy !== undefined) this.#readCall({ index: 0, function: legacy }, out);
  }

  #readParts(content: unknown, out: ModelEvent[]): void {
    for (const { type, text } of contentParts(content)) {
      if (type === 'reasoning') this.#emitReasoning(text, undefined, out);
      else this.#emitText(type, text, out);
    }
  }

  #readCall(piece: JsonRecord, out: ModelEvent[]): void {
    this.#hasCalls = true;
    this.#saysNothing = false;
    // What is held back shows nothing, and yet more is to come.
    if (this.#calls.read(this.#custom.read(piece), out)) this.#takeBack();
  }

  #emitText(type: 'text' | 'refusal', text: string, out: ModelEvent[]): void {
    if (text === '') return;
    this.#saysNothing = false;
    this.#calls.release(out);
    if (this.#isReasoning || (this.#text === '' && this.#details.length > 0)) this.#leaveReasoning(out);
    if (type === 'text') this.#text += text;
    this.#emit({ type, text }, out);
  }

  #emitReasoning(text: string, field: ReasoningField | undefined, out: ModelEvent[]): void {
    if (text === '') return;
    this.#saysNothing = false;
    this.#calls.release(out);
    const isTold = this.#isReasoning && this.#field === field;
    this.#isReasoning = true;
    this.#hasReasoning = true;
    this.#field = field;
    this.#emit({ type: 'reasoning', text, ...(isTold || field === undefined ? {} : { providerFields: { field } }) }, out);
  }

  /** The details of reasoning are whole once something else comes. */
  #leaveReasoning(out: ModelEvent[]): void {
    this.#isReasoning = false;
    if (this.#details.length === 0) return;
    const providerFields = { field: 'reasoning_details', details: this.#details };
    this.#details = [];
    this.emitFields({ type: 'reasoning', text: '', providerFields }, out);
  }

  #emit(delta: Parameters<StreamParser['emitDelta']>[0], out: ModelEvent[]): void {
    this.#takeBack();
    this.emitDelta(delta, out);
  }

  #takeBack(): void {
    if (this.#stated === undefined) return;
    this.#stated = undefined;
    this.takeFinishBack();
  }

  /**
   * Some servers state a reason with every chunk: it is the finish if nothing comes after it. Once something has, none is told
   * before the end of the stream, so that nobody takes the pause between two chunks for the end.
   */
  #state(finish: ModelFinish, out: ModelEvent[]): void {
    // What was cut off does not become whole by another word.
    if (this.#stated?.status === 'incomplete') return;
    if (finish.status === 'completed') for (const piece of this.#custom.close()) this.#calls.read(piece, out);
    this.#calls.release(out);
    // Nothing has come since it was stated before.
    const isSame = this.#stated?.status === finish.status;
    this.#stated = finish;
    this.#lastStated = finish;
    if (isSame || this.goesOnAfterFinish) return;
    if (finish.status === 'incomplete' || (this.hasOutput && this.#calls.areWhole)) this.emitFinish(finish, out);
  }

  /** A word that no table knows, or one beside content, may stand on every chunk: the pause before the next one is no end. */
  override get isStated(): boolean {
    const isKnown = this.#stated !== undefined && this.#stated.detail === undefined;
    return isKnown && this.#isStatedAlone && !this.#isStatedBeside && !this.goesOnAfterFinish;
  }

  protected override statedFinish(isWhole: boolean): ModelFinish | undefined {
    return isWhole ? this.#lastStated : this.#stated;
  }

  override release(out: ModelEvent[]): void {
    this.#calls.release(out);
    this.#leaveReasoning(out);
  }

  protected override requireFit(): void {
    this.#calls.requireNames();
  }

  protected override complete({ status }: ModelFinish, out: ModelEvent[]): void {
    if (status === 'completed') this.#calls.complete(out);
  }
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** The objects of a list, or the one object that stands in its place. On the hot path: a list of one is taken as it is. */
function listOf(value: unknown): readonly JsonRecord[] {
  if (Array.isArray(value) && value.length === 1 && asRecord(value[0]) !== undefined) return value as readonly JsonRecord[];
  const one = asRecord(value);
  if (one !== undefined) return [one];
  return asArray(value).flatMap((each): JsonRecord[] => {
    const record = asRecord(each);
    return record === undefined ? [] : [record];
  });
}
