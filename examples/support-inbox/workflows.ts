/** What the schedule starts each day. Workflow code: of turnkeep it imports `turnkeep/workflow` alone. */
import { ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import { runTurn } from 'turnkeep/workflow';
import type * as inbox from './inbox.ts';

const { newMail, answerMail } = proxyActivities<typeof inbox>({ startToCloseTimeout: '1 minute' });

/**
 * Answers what has come since the last time.
 *
 * @param session the conversation that all mail belongs to: each turn knows those of the weeks before
 */
export async function lookIntoInbox(folder: string, session: string): Promise<number> {
  const mails = await newMail(folder);
  for (const { name, text } of mails) {
    const { id, status, outputText, error } = await runTurn({ agent: 'support', session, input: text });
    if (status !== 'completed') throw ApplicationFailure.nonRetryable(`${name}.mail: ${error?.message ?? status}; see /turns/${id}`);
    await answerMail(folder, name, outputText);
  }
  return mails.length;
}
