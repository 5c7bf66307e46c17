/** Parses a scanned JSON body: short ones at once, long ones in pieces, with the event loop free in between (T14). */
import { setImmediate } from 'node:timers/promises';
import { ApiError } from './errors.ts';
import { findJsonFault, type JsonFault } from './json-fault.ts';
import { invalidBody, type JsonScanner, type ScannedArray } from './json-scanner.ts';

/** A piece of this size is parsed and checked within 20 ms, whatever is in it. A single element may be longer. */
const pieceBytes = 32 * 1024;

/**
 * @throws ApiError 400 when it is not UTF-8, not valid JSON, or has a field of a name that cannot be
 */
export async function parseJson(bytes: Buffer, scanner: JsonScanner): Promise<unknown> {
  try {
    return await parseInPieces(bytes, scanner);
  } catch (error) {
    throw error instanceof SyntaxError ? await invalidJson(bytes) : error;
  }
}

/** @throws SyntaxError as `JSON.parse` does */
async function parseInPieces(bytes: Buffer, { arrays }: JsonScanner): Promise<unknown> {
  if (bytes.length <= pieceBytes) return parsePiece(bytes);
  // Every array's elements are replaced by its number.
  const frame: Buffer[] = [];
  let at = 0;
  for (const [number, { from, to }] of arrays.entries()) {
    if (to === -1) throw new SyntaxError('an array without an end');
    frame.push(bytes.subarray(at, from), Buffer.from(String(number)));
    at = to;
  }
  frame.push(bytes.subarray(at));
  const body = await parsePiece(Buffer.concat(frame));
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  const members = body as { [name: string]: unknown };
  for (const [name, value] of Object.entries(members)) {
    const array = Array.isArray(value) ? arrays[Number(value[0])] : undefined;
    if (array !== undefined) members[name] = await parseElements(bytes, array);
  }
  return body;
}

async function parseElements(bytes: Buffer, { from, commas, to }: ScannedArray): Promise<unknown[]> {
  const elements: unknown[] = [];
  let begin = from;
  for (const [index, end] of [...commas, to].entries()) {
    const isLast = index === commas.length;
    if (!isLast && end - begin < pieceBytes) continue;
    const parsed = await parseElementsIn(bytes, begin - 1, end);
    // Nothing at all is an empty array, but not behind a comma.
    if (parsed.length === 0 && commas.length > 0) throw new SyntaxError('no element behind a comma');
    for (const element of parsed) elements.push(element);
    begin = end + 1;
    await setImmediate();
  }
  return elements;
}

/** The elements between two separators, in whose places brackets stand meanwhile. */
async function parseElementsIn(bytes: Buffer, before: number, behind: number): Promise<unknown[]> {
  const separators = [bytes[before] ?? 0, bytes[behind] ?? 0] as const;
  bytes.write('[', before);
  bytes.write(']', behind);
  try {
    return (await parsePiece(bytes.subarray(before, behind + 1))) as unknown[];
  } finally {
    [bytes[before], bytes[behind]] = separators;
  }
}

// Fatal: text of another encoding would otherwise come in with characters replaced.
const decoder = new TextDecoder('utf-8', { fatal: true });

/** One that is long, and cannot be cut, is at least not decoded and parsed in one go. */
async function parsePiece(bytes: Buffer): Promise<unknown> {
  const isLong = bytes.length > 2 * pieceBytes;
  const text = decode(bytes);
  if (isLong) await setImmediate();
  const value: unknown = JSON.parse(text);
  if (isLong) await setImmediate();
  // Neither can be there without one of these.
  return text.includes('\\u') || text.includes('__proto__') ? wellFormed(value) : value;
}

function decode(bytes: Buffer): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ApiError({ status: 400, code: 'invalid_json', message: 'The body is not valid UTF-8. Send JSON in UTF-8.' });
  }
}

/** Of bytes that `JSON.parse` has refused. */
async function invalidJson(bytes: Buffer): Promise<ApiError> {
  return new ApiError({
    status: 400,
    code: 'invalid_json',
    message: bytes.length === 0 ? 'The body is empty. Send a JSON object.' : sentenceOf(await findJsonFault(bytes)),
  });
}

function sentenceOf(fault: JsonFault | undefined): string {
  if (fault === undefined) return 'The body is not valid JSON. Send a JSON object.';
  const { line, column, found, expected } = fault;
  const place = `line ${line}, column ${column}`;
  const what = found === undefined ? `it ends at ${place}` : `at ${place} there is ${found}`;
  return `The body is not valid JSON: ${what}, where ${expected} was expected.`;
}

/**
 * Sees to what no schema finds: zod's records drop `__proto__` silently, and most languages cannot read half a surrogate
 * pair, which clients make where they cut a text. It is no character: U+FFFD stands for it, as UTF-8 has it anyway (T13).
 * Recursion is safe: the scanner bounds the depth.
 *
 * @throws ApiError 400 for the name of a field
 */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'object' || value === null) return value;
  if (Object.hasOwn(value, '__proto__')) throw invalidBody("'__proto__' cannot be the name of a field");
  const members = value as { [name: string]: unknown };
  for (const [name, inner] of Object.entries(members)) {
    if (!name.isWellFormed()) throw invalidBody('half a surrogate pair, which is no character, cannot be in the name of a field');
    members[name] = wellFormed(inner);
  }
  return value;
}
