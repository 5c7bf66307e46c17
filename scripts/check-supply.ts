/**
 * `npm run check:supply`: asks the registry whether a known vulnerability is in what turnkeep ships with, and whether all that is
 * installed is what its authors' registry signed.
 *
 * Exit codes: 0 nothing is known and all is signed, 1 something is wrong, 2 a question could not be asked (offline, or a registry
 * without the endpoint), which is said on stderr: then nothing is known, which is not the same as nothing is wrong.
 */
import { join } from 'node:path';
import { npm } from './npm.ts';

type Verdict = { readonly isAsked: true; readonly problems: readonly string[] } | { readonly isAsked: false; readonly reason: string };

interface AuditReport {
  readonly vulnerabilities?: {
    readonly [name: string]: {
      readonly severity: string;
      readonly via: readonly (string | { readonly title: string; readonly url: string })[];
    };
  };
  readonly invalid?: readonly { readonly name: string; readonly version: string }[];
  readonly missing?: readonly { readonly name: string; readonly version: string }[];
  readonly message?: string;
  readonly error?: { readonly summary?: string };
}

const root = join(import.meta.dirname, '..');
// One attempt: what cannot be asked is said, and CI may ask again.
const once = ['--json', '--fetch-retries=0'];

const questions: readonly (readonly [what: string, ask: () => Verdict])[] = [
  [
    'known vulnerabilities of what is shipped (npm audit --omit=dev)',
    () =>
      asked(['audit', '--omit=dev', ...once], ({ vulnerabilities }) =>
        vulnerabilities === undefined
          ? undefined
          : Object.entries(vulnerabilities).map(([name, { severity, via }]) => {
              const why = via.map((each) => (typeof each === 'string' ? `through ${each}` : `${each.title} (${each.url})`));
              return `${name}: ${severity}, ${why.join('; ')}`;
            }),
      ),
  ],
  [
    'signatures of what is installed (npm audit signatures)',
    () =>
      asked(['audit', 'signatures', ...once], ({ invalid, missing }) =>
        invalid === undefined || missing === undefined
          ? undefined
          : [
              ...invalid.map(({ name, version }) => `${name}@${version}: its signature is wrong, so it is not what the registry has`),
              ...missing.map(({ name, version }) => `${name}@${version}: it has no signature, where the registry signs`),
            ],
      ),
  ],
];

/** @param problemsOf undefined: this is no report */
function asked(args: readonly string[], problemsOf: (report: AuditReport) => readonly string[] | undefined): Verdict {
  const { stdout, stderr } = npm(args, root);
  let report: AuditReport;
  try {
    report = JSON.parse(stdout) as AuditReport;
  } catch {
    return { isAsked: false, reason: stderr.trim().split('\n')[0] || 'npm did not answer' };
  }
  const problems = problemsOf(report);
  if (problems !== undefined) return { isAsked: true, problems };
  return { isAsked: false, reason: report.message || report.error?.summary || 'npm answered with no report' };
}

let code = 0;
for (const [what, ask] of questions) {
  const verdict = ask();
  if (!verdict.isAsked) {
    process.stderr.write(`check:supply: NOT CHECKED: ${what}: ${verdict.reason}\n`);
    if (code === 0) code = 2;
  } else if (verdict.problems.length > 0) {
    process.stderr.write(`check:supply: ${what}:\n${verdict.problems.map((problem) => `  ${problem}\n`).join('')}`);
    code = 1;
  } else {
    process.stdout.write(`check:supply: nothing wrong: ${what}\n`);
  }
}
process.exitCode = code;
