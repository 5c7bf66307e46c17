/** `docker-compose.yml` and `Dockerfile`, read as Docker reads them: what each container runs, and with which environment. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

export interface ContainerCommand {
  /** The entrypoint and the command behind it. */
  readonly command: readonly string[];
  /** The image's, with that of the service over it. `env_file` is not in it: it is whatever the user has. */
  readonly environment: Readonly<Record<string, string>>;
}

const service = z.looseObject({
  image: z.string(),
  build: z.string().optional(),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  deploy: z.object({ replicas: z.string() }).optional(),
});

export type Service = z.output<typeof service>;

const root = new URL('../../../', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8');

/**
 * The services of `docker-compose.yml` with the variables put in.
 * @throws when a variable that has to be set is not
 */
export function readServices(variables: Readonly<Record<string, string>>): Readonly<Record<string, Service>> {
  const file: unknown = parse(read('docker-compose.yml'), { merge: true });
  return z.object({ services: z.record(z.string(), service) }).parse(interpolated(file, variables)).services;
}

/** What the container of a service runs. Its image is ours, or names its own program in `command`. */
export function containerCommand(name: string, services: Readonly<Record<string, Service>>): ContainerCommand {
  const found = services[name];
  if (found === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  const image = found.build === undefined ? { entrypoint: [], command: [], environment: {} } : readImage();
  const entrypoint = found.entrypoint ?? image.entrypoint;
  // As for Docker, the image's command goes with the image's entrypoint alone.
  const command = found.command ?? (found.entrypoint === undefined ? image.command : []);
  return { command: [...entrypoint, ...command], environment: { ...image.environment, ...found.environment } };
}

/** The last stage of the Dockerfile. */
function readImage(): { readonly entrypoint: string[]; readonly command: string[]; readonly environment: Record<string, string> } {
  const text = read('Dockerfile');
  const stage = text.slice(text.lastIndexOf('\nFROM '));
  const list = (instruction: string): string[] =>
    z.array(z.string()).parse(JSON.parse(new RegExp(`^${instruction} (\\[.*\\])$`, 'm').exec(stage)?.[1] ?? '[]'));
  const pairs = [...stage.matchAll(/^ENV (.+)$/gm)].flatMap(([, line = '']) => line.split(' '));
  return {
    entrypoint: list('ENTRYPOINT'),
    command: list('CMD'),
    environment: Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])),
  };
}

function interpolated(value: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return interpolate(value, variables);
  if (Array.isArray(value)) return value.map((item: unknown) => interpolated(item, variables));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, interpolated(inner, variables)]));
}

/** `${NAME:-default}` and `${NAME:?message}`, the two forms that the file has. An empty variable counts as unset. */
function interpolate(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+):([-?])(.*?)\}/g, (_, name: string, form: string, rest: string) => {
    const value = variables[name];
    if (value) return value;
    if (form === '?') throw new Error(`docker-compose.yml needs ${name}: ${rest}`);
    return rest;
  });
}
