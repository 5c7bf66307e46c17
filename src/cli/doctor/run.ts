/** `turnkeep doctor`: everything that a process of these settings needs, looked at side by side, with the way out of what is wrong. */
import { styleText } from 'node:util';
import { NativeConnection, Runtime } from '@temporalio/worker';
import { pino } from 'pino';
import { inTime } from '../../client/patience.ts';
import { type Config, ConfigError } from '../../config/config.ts';
import type { LoadedAgents } from '../../config/load-agent-config.ts';
import type { Finding } from '../../store/ports/diagnosis.ts';
import { diagnoseDatabase } from '../../roles/maintain-database.ts';
import { findRunningDev } from '../dev-server/data-dir.ts';
import { temporalServerOf } from '../temporal-connection.ts';
import { type Check, findingsOf } from './checks.ts';
import { lookAtCodecKeyInUse } from './codec.ts';
import { connectionProblem } from './connection-problem.ts';
import { providerChecks } from './provider.ts';
import { lookAtTemporal } from './temporal.ts';
import { lookAtCertificate, lookAtVersions } from './versions.ts';

export interface DoctorFlags {
  readonly json?: boolean;
}

/** Of each check. */
const checkWithinMs = 15_000;
const connectWithinMs = 8_000;

/** Exit code 1 where there is a fault. */
export async function runDoctor(config: Config, loaded: LoadedAgents | undefined, { json }: DoctorFlags): Promise<void> {
  // What it warns of is found here, and told once.
  const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
  Runtime.install({ logger: silent, telemetryOptions: { logging: { filter: 'OFF', forward: {} } } });
  const isDev = findRunningDev(config.dataDir) !== undefined;
  const checks: readonly Check[] = [
    { name: 'versions', look: async () => [...lookAtVersions(), ...lookAtCertificate(config)] },
    { name: 'temporal', look: () => lookAtServer(config) },
    { name: 'database', look: diagnoseDatabase(config) },
    { name: 'codec key in use', look: () => lookAtCodecKeyInUse(config) },
    ...providerChecks(config, loaded?.agents, isDev),
  ];
  const findings: Finding[] = [];
  for await (const finding of findingsOf(checks, checkWithinMs)) {
    findings.push(finding);
    if (json !== true) process.stdout.write(textOf(finding));
  }
  const count = (status: Finding['status']): number => findings.filter((finding) => finding.status === status).length;
  const [faults, warnings] = [count('fault'), count('warning')];
  if (json === true) process.stdout.write(`${JSON.stringify({ faults, warnings, findings })}\n`);
  else process.stdout.write(`${faults} fault${faults === 1 ? '' : 's'}, ${warnings} warning${warnings === 1 ? '' : 's'}\n`);
  if (faults > 0) process.exitCode = 1;
}

async function lookAtServer(config: Config): Promise<readonly Finding[]> {
  const check = 'temporal';
  let address = config.temporal.address ?? 'the Temporal of the running turnkeep dev';
  let connection: NativeConnection;
  try {
    const server = await temporalServerOf(config, pino({ level: 'silent' }), AbortSignal.timeout(connectWithinMs));
    address = server.address ?? address;
    connection = await inTime(NativeConnection.connect(server), connectWithinMs);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems.map((seen) => ({
        check,
        status: 'fault',
        seen,
        mend: 'see TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE, or start `turnkeep dev`',
      }));
    }
    return [{ check, status: 'fault', ...connectionProblem(error, address) }];
  }
  try {
    return await lookAtTemporal(config, connection, address);
  } finally {
    await connection.close();
  }
}

const styles = { ok: 'green', warning: 'yellow', fault: 'red', unknown: 'dim' } as const;

function textOf({ check, status, seen, mend }: Finding): string {
  const { stdout: stream } = process;
  const line = `${styleText(styles[status], status.padEnd(7), { stream })}  ${check}: ${seen}\n`;
  return mend === undefined ? line : `${line}         to mend: ${mend}\n`;
}
