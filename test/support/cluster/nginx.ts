/** nginx as `docker-compose.yml` has it, with `deploy/nginx/nginx.conf.template` filled in for gateways at addresses of this machine. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nginxProgram } from '../programs.ts';
import type { ContainerCommand } from './compose-file.ts';
import type { ProcessPlan } from './process.ts';

export interface NginxOptions {
  readonly container: ContainerCommand;
  /** For the configuration and temporary files. */
  readonly folder: string;
  /** host:port */
  readonly listen: string;
  /** host:port of each gateway. */
  readonly servers: readonly string[];
}

const template = new URL('../../../deploy/nginx/nginx.conf.template', import.meta.url);

export async function planNginx(options: NginxOptions): Promise<Omit<ProcessPlan, 'name' | 'cwd' | 'logPath'>> {
  const { container, folder, listen, servers } = options;
  const path = join(folder, 'nginx.conf');
  writeFileSync(path, filledIn(container.environment, { folder, listen, servers }));
  const [, ...args] = container.command.map((word) => {
    if (word === '/tmp/nginx.conf') return path;
    // Its worker processes would be another user, who cannot write into the folder of this one.
    return word === 'daemon off;' && process.getuid?.() === 0 ? 'daemon off; user root;' : word;
  });
  return {
    command: [await nginxProgram(), ...args],
    env: { PATH: process.env['PATH'] },
    stopSignal: 'SIGQUIT',
    isReady: async () => (await fetch(`http://${listen}/nginx-health`)).ok,
  };
}

/** As the image's entrypoint does it. */
function filledIn(environment: ContainerCommand['environment'], { folder, listen, servers }: Omit<NginxOptions, 'container'>): string {
  // The container finds its gateways by a name, which takes a resolver; what is said of each is the same.
  const inContainer = environment['NGINX_SERVERS'] ?? '';
  const values: ContainerCommand['environment'] = {
    ...environment,
    NGINX_DIRECTORY: folder,
    NGINX_LISTEN: listen,
    NGINX_RESOLVER: '',
    NGINX_SERVERS: servers.map((server) => inContainer.replace('serve:8484 resolve', server)).join('\n    '),
  };
  return readFileSync(template, 'utf8').replaceAll(/\$\{(NGINX_\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
