'use strict';
// Prints, as JSON, what this node has and neither js/methods.js nor js/unguarded.js knows.
const path = require('node:path');
const fs = require('node:fs');
const js = path.dirname(process.env.FIREWALL_JS);
const { FS, DOORS, CLASSES, REFUSED } = require(path.join(js, 'methods.js'));
const { UNGUARDED, MODULES } = require(path.join(js, 'unguarded.js'));

process.emitWarning = () => {};
const names = (object) => Object.getOwnPropertyNames(object).filter((name) => typeof object !== 'function' || !['length', 'name', 'prototype'].includes(name));
const base = (name) => name.replace(/Sync$/, '');
const rows = (module) => [...DOORS, ...CLASSES, ...REFUSED].filter((row) => row[0] === module).map((row) => row[1].split('.')[0]);

async function main() {
  const handle = await fs.promises.open('/dev/null');
  const surface = {
    fs: [...names(fs), ...names(fs.promises)].map(base),
    FileHandle: names(Object.getPrototypeOf(handle)),
    Dir: names(fs.Dir.prototype),
  };
  await handle.close();
  for (const module of ['process', 'module', 'v8', 'inspector', 'sqlite', 'wasi', 'async_hooks', 'worker_threads']) {
    surface[module] = names(module === 'process' ? process : require(`node:${module}`));
  }
  const unknown = require('node:module').builtinModules.filter((name) => !(name in MODULES));
  for (const [module, list] of Object.entries(surface)) {
    const known = new Set([...Object.keys(UNGUARDED[module]), ...rows(module), ...(module === 'fs' ? Object.keys(FS) : [])]);
    for (const name of new Set(list)) if (!known.has(name)) unknown.push(`${module}.${name}`);
  }
  process.stdout.write(JSON.stringify(unknown));
}

main();
