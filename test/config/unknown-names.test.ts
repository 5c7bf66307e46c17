/** A misspelt variable is told, with the setting that was meant. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settings } from '../../src/config/settings.ts';
import { unknownNames } from '../../src/config/unknown-names.ts';

const told = (name: string): string | undefined => unknownNames({ [name]: 'x' })[0];

test('a name with our prefix that is no setting is told, with the nearest one', () => {
  const misspelt = {
    TURNKEEP_PROT: 'TURNKEEP_PORT',
    TURNKEEP_APIKEYS: 'TURNKEEP_API_KEYS',
    TURNKEEP_DATADIR: 'TURNKEEP_DATA_DIR',
    TURNKEEP_HEADSTART: 'TURNKEEP_HEAD_START',
    TURNKEEP_RETENTION_DAY: 'TURNKEEP_RETENTION_DAYS',
  };
  for (const [name, meant] of Object.entries(misspelt)) {
    assert.equal(told(name), `${name} is no setting of turnkeep and is ignored: did you mean ${meant}?`);
  }
  for (const name of ['TURNKEEP_SOMETHING_ELSE', 'TURNKEEP_FOO']) {
    assert.equal(told(name), `${name} is no setting of turnkeep and is ignored: \`turnkeep serve --help\` lists the settings`);
  }
});

test('what is a setting, or belongs to somebody else, is not told', () => {
  const known = Object.fromEntries(settings.map(({ env }) => [env, 'x']));
  const foreign = {
    PATH: '',
    OPENAI_ORG_ID: '',
    TEMPORAL_TLS_X: '',
    TURNKEEP_URL: '',
    TURNKEEP_API_KEY: '',
    TURNKEEP_TEST_TEMPORAL_ADDRESS: '',
  };
  assert.deepEqual(unknownNames({ ...known, ...foreign }), []);
});
