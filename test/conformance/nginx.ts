/** nginx in front of a gateway, as most people have it: `proxy_pass` and nothing about buffering. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/cli/dev-server/ports.ts';

export interface Nginx extends AsyncDisposable {
  readonly url: string;
}

const tries = 3;

/** @param settings further directives of the `location`, each ended by a semicolon. */
export async function startNginx(program: string, target: string, settings = ''): Promise<Nginx> {
  for (let left = tries; ; left -= 1) {
    try {
      return await start(program, target, settings);
    } catch (error) {
      // Somebody else may take its port before it does.
      if (left === 1) throw error;
    }
  }
}

async function start(program: string, target: string, settings: string): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-nginx-'));
  const [port] = await freePorts([undefined]);
  const path = (name: string): string => join(folder, name);
  /** Nobody else answers this path with 204. */
  const own = `/${crypto.randomUUID()}`;
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
    location = ${own} { return 204; }
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
    fetch(`http://127.0.0.1:${port}${own}`).then(
      ({ status }) => status === 204,
      () => false,
    );
  while (!(await isUp())) {
    // As it does after some time where it cannot have its port.
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
