/** `deploy/nginx/nginx.conf.template`, filled in as the nginx image does it, for replicas at addresses of this machine. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface NginxConfig {
  /** For the configuration and temporary files. */
  readonly folder: string;
  /** That of the container. */
  readonly environment: Readonly<Record<string, string>>;
  readonly listen: string;
  /** host:port of each gateway. */
  readonly servers: readonly string[];
}

const template = new URL('../../../deploy/nginx/nginx.conf.template', import.meta.url);

/** @returns the path of the configuration */
export function writeNginxConfig({ folder, environment, listen, servers }: NginxConfig): string {
  // The container finds its replicas by a name, which needs a resolver; what is said of each is the same.
  const inContainer = environment['NGINX_SERVERS'] ?? '';
  const values: Readonly<Record<string, string>> = {
    ...environment,
    NGINX_DIRECTORY: folder,
    NGINX_LISTEN: listen,
    NGINX_RESOLVER: '',
    NGINX_SERVERS: servers.map((server) => inContainer.replace('serve:8484 resolve', server)).join('\n    '),
  };
  const text = readFileSync(template, 'utf8').replaceAll(/\$\{(NGINX_\w+)\}/g, (whole, name: string) => values[name] ?? whole);
  const path = join(folder, 'nginx.conf');
  writeFileSync(path, text);
  return path;
}
