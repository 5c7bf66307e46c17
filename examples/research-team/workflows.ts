/** How the team works. Each turn is kept, retried and shown by turnkeep; what is between them is Temporal's. */
import { condition, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import { runTurn, type TurnResult } from 'turnkeep/workflow';

export interface Question {
  /** What the reviewer wants to accept. */
  readonly name: string;
  readonly arguments: string;
}

export interface Decision {
  readonly approve: boolean;
  readonly reason?: string;
}

export interface Report {
  readonly status: 'written' | 'refused' | 'failed';
  readonly text: string;
}

/** Resolves once there is a question for a person, or none any more. */
export const question = defineUpdate<Question | null>('question');
export const decide = defineSignal<[Decision]>('decide');
/** Resolves with the id of the turn that writes, which can be followed; null where nothing is written. */
export const writing = defineUpdate<string | null>('writing');

export async function researchTeam(asked: string): Promise<Report> {
  let open: Question | undefined;
  let decision: Decision | undefined;
  let writer: string | undefined;
  let isOver = false;
  setHandler(decide, (given) => {
    decision = given;
  });
  setHandler(question, async () => {
    await condition(() => open !== undefined || isOver);
    return open ?? null;
  });
  setHandler(writing, async () => {
    await condition(() => writer !== undefined || isOver);
    return writer ?? null;
  });

  try {
    const plan = await runTurn({ agent: 'planner', input: asked });
    if (plan.status !== 'completed') return failed(plan);
    const topics = plan.outputText
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(0, 3);

    // Side by side; one that fails costs the report its topic, not the others theirs.
    const found = await Promise.all(topics.map((topic) => runTurn({ agent: 'researcher', input: topic })));
    const findings = found.map(({ status, outputText }, index) => `${topics[index]}: ${status === 'completed' ? outputText : 'nothing'}`);

    let review = await runTurn({ agent: 'reviewer', input: `Findings:\n${findings.join('\n')}` });
    const request = review.output.find((item) => item.type === 'mcp_approval_request');
    if (request !== undefined) {
      open = { name: request.name, arguments: request.arguments };
      // For a minute or for a week: nothing runs meanwhile, and no deployment ends it.
      await condition(() => decision !== undefined);
      const { approve = false, reason } = decision ?? {};
      review = await runTurn({
        agent: 'reviewer',
        previous: review.id,
        input: [{ type: 'mcp_approval_response', approval_request_id: request.id, approve, ...(reason === undefined ? {} : { reason }) }],
      });
      if (!approve) return { status: 'refused', text: review.outputText };
    }
    if (review.status !== 'completed') return failed(review);

    const report = await runTurn({
      agent: 'writer',
      input: `${asked}\n\nThe findings:\n${findings.join('\n')}`,
      onAccepted: (id) => {
        writer = id;
      },
    });
    return report.status === 'completed' ? { status: 'written', text: report.outputText } : failed(report);
  } finally {
    isOver = true;
  }
}

function failed({ status, error }: TurnResult): Report {
  return { status: 'failed', text: error?.message ?? status };
}
