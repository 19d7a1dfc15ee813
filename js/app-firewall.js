'use strict';
// The in-process guard of Node agents: stops an agent's own tools (its read, write, edit … functions, which run inside
// the agent's process) from touching protected files, while the agent itself still reads its credentials.
//
// This is a guard-rail with good messages, not the boundary. The boundary for everything that a tool starts as a
// process is the kernel vault (csrc/); harness code and extensions inside the process are trusted, and code that means
// harm inside the agent's process can get around any guard that lives there too. docs/threat-model.md lists the ways.
//
// How it is loaded (containers/pi/, by the entrypoint, for the agent's process only):
//     export NODE_OPTIONS="--require /usr/local/lib/agentbox/js/app-firewall.js${NODE_OPTIONS:+ $NODE_OPTIONS}"
//     exec pi --extension /usr/local/lib/agentbox/pi-extensions/agentbox-guard "$@"
// The extension comes before all other arguments (pi gives its tools to the extension that is loaded first), but not in
// front of pi's own commands (install, remove, uninstall, update, list, config, auth), which take no --extension and run
// no tools. /etc/agentbox/firewall.json must be there and well-formed: otherwise the process ends with 125.
//
// The hook takes its entry out of process.env.NODE_OPTIONS, so that node processes started by tools do not load it (they
// are the vault's business). Workers load it: see install.js.

const { loadPolicy, POLICY_FILE, PolicyError } = require('./policy.js');
const { install, inherited } = require('./install.js');

/** NODE_OPTIONS without the --require of this file; words may be quoted, `\` escapes inside quotes. */
function withoutEntry(options, file) {
  const words = options.match(/(?:[^\s"]|"(?:\\.|[^"\\])*")+/g) ?? [];
  const plain = (word) => word.replace(/"((?:\\.|[^"\\])*)"/g, (_, inner) => inner.replace(/\\(.)/g, '$1'));
  const kept = [];
  for (let i = 0; i < words.length; i++) {
    const word = plain(words[i]);
    if ((word === '--require' || word === '-r') && i + 1 < words.length && plain(words[i + 1]) === file) i++;
    else if (word !== `--require=${file}` && word !== `-r=${file}`) kept.push(words[i]);
  }
  return kept.join(' ');
}

function dropFromEnvironment() {
  if (process.env.NODE_OPTIONS === undefined) return;
  const rest = withoutEntry(process.env.NODE_OPTIONS, __filename);
  if (rest === '') delete process.env.NODE_OPTIONS;
  else process.env.NODE_OPTIONS = rest;
}

// Both caches lie in /tmp, where tools write, and the agent would run what they hold: a planted
// /tmp/jiti/<extension>.mjs was executed at the next load.
function distrustCaches() {
  process.env.JITI_FS_CACHE = 'false';
  process.env.NODE_DISABLE_COMPILE_CACHE = '1';
}

/** Installs the guard in this thread from a decoded policy file; the entry passes what it read from POLICY_FILE. */
const installFrom = (object) => install(object, __filename);

function installInherited({ objects, tool }) {
  for (const object of objects) install(object, __filename, tool);
}

function start() {
  dropFromEnvironment();
  distrustCaches();
  try {
    const given = inherited();
    if (given === undefined) installFrom(loadPolicy());
    else installInherited(given);
  } catch (error) {
    const what = error instanceof PolicyError ? `${POLICY_FILE}: ${error.message}` : `the in-process guard failed: ${error.stack}`;
    process.stderr.write(`agentbox: ${what}. Hint: start the agent through agentbox, which renders this file\n`);
    process.exit(125);
  }
}

module.exports = { installFrom, withoutEntry };

// `--require` loads this file without a parent module; a test requires it and calls installFrom.
if (module.parent === null || module.parent === undefined || module.parent.id === 'internal/preload') start();
