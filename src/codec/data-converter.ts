/** How turnkeep's clients and workers write into Temporal's histories: with keys encrypted, without as everybody does. */
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { type CodecKey, createEncryption } from './encryption.ts';

// In a checkout the sources are TypeScript, published they are JavaScript: the neighbour has our own extension.
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** For the bundle of the workflow code, which has a converter of its own. */
export const failureConverterPath = fileURLToPath(new URL(`./failure-converter.${extension}`, import.meta.url));

/**
 * For `dataConverter` of Temporal's `Client`, `Worker` and replay alike: whoever lacks it cannot read what the others wrote.
 * @param onError told once of each key that is missing or wrong
 * @example
 *     import { Client } from '@temporalio/client';
 *     import { createDataConverter } from 'turnkeep/client';
 *     import { readConfig } from 'turnkeep/config';
 *
 *     const { codecKeys } = readConfig({ env: process.env });
 *     const client = new Client({ dataConverter: createDataConverter(codecKeys, console.error) });
 */
export function createDataConverter(keys: readonly CodecKey[], onError?: (message: string) => void): DataConverter {
  return keys.length === 0 ? {} : { failureConverterPath, payloadCodecs: [createEncryption(keys, onError)] };
}
