'use strict';
// Makes what images load in place of this folder: node join.js TARGET. A start of node that reads one file, and what V8 made
// of it, takes half of the time that the single files take (docs/internals.md).
//
//     TARGET/app-firewall.js   loads the other two; its name is what NODE_OPTIONS and workers have
//     TARGET/joined.js         all files of the guard, each a function; what only tools need is still run when they come
//     TARGET/joined.cache      the compiled code. V8 takes it for its own version and for this text only, else compiles anew
//
// Whoever can write the cache decides what the agent runs: TARGET is for root to write, in an image that is read-only.

const fs = require('node:fs');
const path = require('node:path');
const { Script } = require('node:vm');

const ENTRY = 'app-firewall.js';
const POLICY = { version: 2, agent: 'x', tree: '/x', deny: ['*.x', 'x'], paths: ['/x'], read: [], write: [], frames: [] };

/** The files that `name` is made of, by their names: it and what it requires of this folder. */
function collect(name, found = new Map()) {
  if (found.has(name)) return found;
  const text = fs.readFileSync(path.join(__dirname, name), 'utf8');
  found.set(name, text);
  for (const [, other] of text.matchAll(/\brequire\('\.\/([\w-]+\.js)'\)/g)) collect(other, found);
  return found;
}

/** Without lines that are comments; in ASCII, which V8 reads faster. */
function shorten(text) {
  const code = text.split('\n').filter((line) => !/^\s*(\/\/|\/\*\*.*\*\/$)/.test(line)).join('\n');
  return code.replace(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function join() {
  const parts = [...collect(ENTRY)].map(([name, text]) => `'./${name}': function (module, require) {\n${shorten(text)}\n},\n`);
  return `(function (module, require, __filename) {
const parts = { __proto__: null,
${parts.join('')}};
const made = { __proto__: null };
const load = (name) => {
  if (parts[name] === undefined) return require(name);
  if (made[name] === undefined) {
    made[name] = { exports: {} };
    parts[name](made[name], load);
  }
  return made[name].exports;
};
parts['./${ENTRY}'](module, load);
})`;
}

const LOADER = `'use strict';
// Made by js/join.js from the files in js/.
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');

const filename = \`\${__dirname}/joined.js\`;
const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData: readFileSync(\`\${__dirname}/joined.cache\`) });
script.runInThisContext()(module, require, __filename);
`;

/** Runs a start, since V8 compiles a function, and so has it for the cache, when it is first called. */
function main(target) {
  const [write, filename, text] = [fs.writeFileSync, path.join(target, 'joined.js'), join()];
  const script = new Script(text, { filename });
  const module = { exports: {}, parent: {}, id: 'join' };
  script.runInThisContext()(module, require, filename);
  module.exports.installFrom(POLICY);
  write(path.join(target, ENTRY), LOADER);
  write(filename, text);
  write(path.join(target, 'joined.cache'), script.createCachedData());
}

main(path.resolve(process.argv[2]));
