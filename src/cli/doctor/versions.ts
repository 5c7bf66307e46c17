/** This program and what it runs on; nothing is asked of anybody. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { X509Certificate } from 'node:crypto';
import { type Config, readVersion } from '../../config/config.ts';
import type { Finding } from '../../store/ports/diagnosis.ts';

const dayMs = 86_400_000;
/** Time to get another one. */
const warnDays = 21;

/** Of Temporal's SDK that is installed. */
export function readSdkVersion(): string {
  const { version } = createRequire(import.meta.url)('@temporalio/worker/package.json') as { readonly version: string };
  return version;
}

export function lookAtVersions(): readonly Finding[] {
  const check = 'versions';
  const packageJson = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    readonly engines: { readonly node: string };
  };
  const wanted = packageJson.engines.node;
  const seen = `turnkeep ${readVersion()} on Node ${process.versions.node}, ${process.platform} ${process.arch}`;
  const [, least = ''] = /^>=(\S+)$/.exec(wanted) ?? [];
  if (process.versions.node.localeCompare(least, 'en', { numeric: true }) >= 0) return [{ check, status: 'ok', seen }];
  return [{ check, status: 'fault', seen, mend: `it needs Node ${wanted}` }];
}

/** Of the certificate that this machine shows to Temporal. */
export function lookAtCertificate({ temporal: { connection } }: Config): readonly Finding[] {
  const check = 'client certificate';
  const tls = typeof connection?.tls === 'object' ? connection.tls : undefined;
  if (tls?.clientCertPair == null) return [];
  const { validTo, subject } = new X509Certificate(tls.clientCertPair.crt);
  const days = Math.floor((Date.parse(validTo) - Date.now()) / dayMs);
  const seen = `${subject.replaceAll('\n', ', ')} is valid until ${new Date(validTo).toISOString().slice(0, 10)}`;
  if (days >= warnDays) return [{ check, status: 'ok', seen }];
  const mend = 'get another one, and start every process with it (TEMPORAL_TLS_CLIENT_CERT_PATH): it is read at the start';
  return [{ check, status: days < 0 ? 'fault' : 'warning', seen, mend }];
}
