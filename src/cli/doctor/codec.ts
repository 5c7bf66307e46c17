/** Would a process with the codec keys that are set start, and can what Temporal has of turns be read with them? */
import type { temporal } from '@temporalio/proto';
import { createEncryption, isEncrypted } from '../../codec/encryption.ts';
import { agentTurnType } from '../../contract/workflows.ts';
import type { Config } from '../../config/config.ts';
import { codecKeyRefusal } from '../../roles/codec-key.ts';
import { readCodecKeyInUse } from '../../roles/maintain-database.ts';
import type { Finding } from '../../store/ports/diagnosis.ts';
import type { TemporalLook } from './temporal.ts';

type Payload = temporal.api.common.v1.IPayload;

/** As a gateway or worker asks the database when it starts; nothing is written. */
export async function lookAtCodecKeyInUse(config: Config): Promise<readonly Finding[]> {
  const check = 'codec key in use';
  let inUse: Awaited<ReturnType<typeof readCodecKeyInUse>>;
  try {
    inUse = await readCodecKeyInUse(config);
  } catch {
    return [{ check, status: 'unknown', seen: 'the database, which knows it, cannot be read' }];
  }
  const refusal = codecKeyRefusal(inUse, config.codecKeys);
  if (refusal !== undefined) return [{ check, status: 'fault', ...refusal }];
  return [{ check, status: 'ok', seen: inUse === null ? 'the database knows of none' : `${inUse.id}, which is set` }];
}

export async function lookAtCodec({ ask, config, namespace }: TemporalLook): Promise<readonly Finding[]> {
  const check = 'codec keys';
  const ids = config.codecKeys.map(({ id }) => id);
  const set = ids.length === 0 ? 'none are set' : `${ids.join(', ')}, of which ${ids[0]} encrypts`;
  const newest = await newestInput({ ask, config, namespace });
  if (newest === undefined) return [{ check, status: 'ok', seen: `${set}; there is no run yet that they could be tried on` }];
  if (!isEncrypted(newest)) {
    const plain = 'the newest run has its ids and settings in plain words';
    if (ids.length === 0) return [{ check, status: 'ok', seen: `${set}: ${plain}; prompts and answers are in no history` }];
    const mend = 'restart every gateway and worker with the same TURNKEEP_CODEC_KEYS; a run that was begun before them is no fault';
    return [{ check, status: 'warning', seen: `${set}, but ${plain}`, mend }];
  }
  try {
    if (config.codecKeys.length === 0) throw new Error('the newest run is encrypted, and TURNKEEP_CODEC_KEYS is not set here');
    await createEncryption(config.codecKeys).decode([newest]);
    return [{ check, status: 'ok', seen: `${set}; the newest run can be read` }];
  } catch (error) {
    const mend = 'give every process the keys that are in use, the first one first, in TURNKEEP_CODEC_KEYS';
    return [{ check, status: 'fault', seen: error instanceof Error ? error.message : String(error), mend }];
  }
}

/** The input of the newest turn's run that Temporal lists. */
async function newestInput({ ask, config, namespace }: Pick<TemporalLook, 'ask' | 'config' | 'namespace'>): Promise<Payload | undefined> {
  const query = `WorkflowType = '${agentTurnType}' AND TaskQueue = '${config.taskQueue}'`;
  const { executions } = await ask((service) => service.listWorkflowExecutions({ namespace, query, pageSize: 1 }));
  const execution = executions?.[0]?.execution;
  if (execution == null) return undefined;
  const { history } = await ask((service) => service.getWorkflowExecutionHistory({ namespace, execution, maximumPageSize: 1 }));
  return history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0] ?? undefined;
}
