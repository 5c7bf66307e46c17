/** Temporal's `dataConverter` for turnkeep's clients and workers: encrypts what they store there if there are keys. */
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { type CodecKey, createEncryption, type EncryptionOptions } from './encryption.ts';

// TypeScript in a checkout, JavaScript in the package: the file beside this one has the same extension.
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** Path of the failure converter, for bundling it with the workflow code: the sandbox loads converters by their path. */
export const failureConverterPath = fileURLToPath(new URL(`./failure-converter.${extension}`, import.meta.url));

/**
 * For `dataConverter` of Temporal's `Client`, `Worker` and replay alike: one without it cannot read what the others wrote.
 *
 * @param keys the first encrypts, all decrypt
 * @param onError called once for each key that is missing or wrong, and for payloads of another workflow
 * @param options `checksPlace`: refuses payloads of another workflow or namespace; for clients and workers, not for replays
 * @example
 *     import { Client } from '@temporalio/client';
 *     import { createDataConverter } from 'turnkeep/client';
 *     import { readConfig } from 'turnkeep/config';
 *
 *     const { codecKeys } = readConfig({ env: process.env });
 *     const client = new Client({ dataConverter: createDataConverter(codecKeys, console.error, { checksPlace: true }) });
 */
export function createDataConverter(
  keys: readonly CodecKey[],
  onError?: (message: string) => void,
  options: Pick<EncryptionOptions, 'checksPlace'> = {},
): DataConverter {
  return keys.length === 0 ? {} : { failureConverterPath, payloadCodecs: [createEncryption(keys, { ...options, onError })] };
}
