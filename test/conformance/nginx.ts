/** nginx in front of a gateway, as most people have it: `proxy_pass` and nothing about buffering. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/cli/dev-server/ports.ts';

export interface Nginx extends AsyncDisposable {
  readonly url: string;
}

/** @param settings further directives of the `location`, each ended by a semicolon. */
export async function startNginx(program: string, target: string, settings = ''): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-nginx-'));
  const [port] = await freePorts([undefined]);
  const path = (name: string): string => join(folder, name);
  // One process, as whoever runs the tests: nothing of the machine's own nginx is touched.
  writeFileSync(
    path('nginx.conf'),
    `daemon off;
master_process off;
pid ${path('pid')};
error_log stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path ${path('body')};
  proxy_temp_path ${path('proxy')};
  fastcgi_temp_path ${path('fastcgi')};
  uwsgi_temp_path ${path('uwsgi')};
  scgi_temp_path ${path('scgi')};
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${target};
      ${settings}
    }
  }
}
`,
  );
  const child = spawn(program, ['-p', folder, '-c', path('nginx.conf'), '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exited = once(child, 'exit');
  const isUp = async (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port ?? 0, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => {
        resolve(false);
      });
    });
  while (!(await isUp())) {
    if (child.exitCode !== null) throw new Error(`nginx does not start:\n${said}`);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
