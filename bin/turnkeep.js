#!/usr/bin/env node
// Old JavaScript on purpose: on a Node that is too old it must still get as far as saying so (from Node 12 on it does).
'use strict';
var wanted = [22, 19];
var found = process.versions.node.split('.').map(Number);
if (found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1])) {
  console.error('turnkeep needs Node ' + wanted.join('.') + ' or newer, this is v' + process.versions.node + '.');
  process.exit(2);
} else {
  Promise.all([import('fs'), import('module'), import('url')])
    .then(function ([fs, module, url]) {
      // The package has only what is built of the sources.
      if (!fs.existsSync(new URL('../src/cli/main.ts', import.meta.url))) return import('../dist/cli/main.js');
      // Before the first module of TypeScript, or Node loads its compiler (20 MB) for that one.
      module.enableCompileCache(url.fileURLToPath(new URL('../node_modules/.cache/turnkeep/compiled', import.meta.url)));
      return import('../src/cli/main.ts');
    })
    .catch(function (error) {
      console.error(error);
      process.exit(2);
    });
}
