/** Certificates of an authority of a test's own, made by the `openssl` program. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  /** Files in PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Certificate {
  /** @param alternatives the names and addresses of a server, such as `DNS:temporal.test` */
  sign(name: string, options?: { readonly alternatives?: string; readonly days?: number }): Certificate;
}

const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const;

export function makeAuthority(folder: string, name: string): Authority {
  const run = (args: readonly string[]): void => void execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const file = (of: string, kind: string): string => join(folder, `${of}.${kind}`);
  const [cert, key] = [file(name, 'pem'), file(name, 'key')];
  run(['req', '-x509', ...ec, '-keyout', key, '-out', cert, '-days', '2', '-subj', `/CN=${name}`]);
  return {
    cert,
    key,
    sign(subject, { alternatives, days = 90 } = {}) {
      const made = { cert: file(subject, 'pem'), key: file(subject, 'key') };
      const [request, extensions] = [file(subject, 'csr'), file(subject, 'ext')];
      run(['req', ...ec, '-keyout', made.key, '-out', request, '-subj', `/CN=${subject}`]);
      const names = alternatives === undefined ? '' : `\nsubjectAltName=${alternatives}`;
      writeFileSync(extensions, `basicConstraints=CA:FALSE${names}\n`);
      const signing = ['-CA', cert, '-CAkey', key, '-CAcreateserial', '-days', String(days), '-extfile', extensions];
      run(['x509', '-req', '-in', request, '-out', made.cert, ...signing]);
      return made;
    },
  };
}
