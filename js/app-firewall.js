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
// are the vault's business). Workers load it: see workers.js.

const fs = require('node:fs');
const module_ = require('node:module');
const p = require('./primordials.js');
const { createContext } = require('./context.js');
const { Patcher } = require('./patch.js');
const { VERSION, POLICY_FILE, PolicyError, loadPolicy, parsePolicy } = require('./policy.js');

// How an extension finds the guard. Defined once, before any other code, neither writable nor configurable.
const CHANNEL = Symbol.for('agentbox.firewall');

const { existsSync, realpathSync } = fs;
const { dirname } = p.original;

/**
 * Patches fs.promises and Worker before anybody sees them, but only then: loading the two is most of what a start would
 * cost. They are seen through require and import (a hook), process.getBuiltinModule, and fs.promises.
 */
function patchWhenAskedFor(patches) {
  const waiting = new Map(Object.entries(patches));
  const asked = (url) => {
    const patch = waiting.get(url);
    if (patch === undefined) return;
    waiting.delete(url);
    patch();
    module_.syncBuiltinESMExports();
  };
  module_.registerHooks({
    resolve(specifier, context, nextResolve) {
      const found = nextResolve(specifier, context);
      asked(found.url);
      return found;
    },
  });
  const { getBuiltinModule } = process;
  process.getBuiltinModule = function (id) {
    asked(p.startsWith(`${id}`, 'node:') ? `${id}` : `node:${id}`);
    return p.apply(getBuiltinModule, process, [id]);
  };
  const { get } = p.getOwnPropertyDescriptor(fs, 'promises');
  p.defineProperty(fs, 'promises', {
    get() {
      asked('node:fs/promises');
      return p.apply(get, fs, []);
    },
    configurable: true,
    enumerable: true,
  });
  return () => {
    for (const url of Object.keys(patches)) asked(url);
  };
}

/** The directories in which the running harness ships its tools, if it ships them as files: `frames` name them within its package. */
function findToolDirectories(frames) {
  const found = [];
  if (frames.length === 0 || process.argv[1] === undefined || !existsSync(process.argv[1])) return found;
  for (let at = dirname(realpathSync(process.argv[1])); at !== '/'; at = dirname(at)) {
    for (const frame of frames) if (existsSync(`${at}${frame}`)) found.push(`${at}${frame}`);
  }
  return found;
}

/**
 * Installs the guard for a policy, and returns the channel. `object` is the decoded policy file (workers parse it again),
 * `entry` the file that a worker loads with --require. A second call, also by another copy of this file, patches
 * nothing: its policy is added to the first.
 */
function install(object, entry, always = false) {
  const present = process[CHANNEL];
  if (present !== undefined) {
    if (present.version !== VERSION) throw new Error(`a guard of version ${present.version} is installed already, this is ${VERSION}`);
    present.protect(object);
    return present;
  }
  const policy = parsePolicy(object);
  const context = createContext(always, findToolDirectories(policy.frames));
  const patcher = new Patcher(context);
  const objects = [object];
  patcher.patchFs();
  const patchAll = patchWhenAskedFor({
    'node:fs/promises': () => patcher.patchPromises(),
    'node:worker_threads': () => require('./workers.js').patchWorker(objects, entry, context.inTool),
  });
  const channel = createChannel({ policy, objects, patcher, patchAll, runAsTool: context.runAsTool });
  p.defineProperty(process, CHANNEL, { value: channel, writable: false, configurable: false, enumerable: false });
  if (always || context.byStack) channel.check('open', '/');
  return channel;
}

function createChannel({ policy, objects, patcher, patchAll, runAsTool }) {
  let guard = null;
  let denial = null;

  /** Loads what only tools need, before the first of them runs. */
  const prepare = () => {
    if (guard !== null) return;
    patchAll();
    const parts = require('./guard.js');
    denial = parts.denial;
    guard = new parts.Guard();
    for (const object of objects) guard.add(parsePolicy(object));
    patcher.arm({ guard, denial, checkArguments: require('./arguments.js').checkArguments });
    guard.learnFileHandle().catch(() => {}); // until then a FileHandle as path argument is refused, which is harmless
    require('./doors.js').patchDoors(patcher);
  };
  return p.freeze({
    version: VERSION,
    agent: policy.agent,
    runAsTool(fn) {
      prepare();
      return runAsTool(fn);
    },
    /** The error that a tool would get for reading `path`, or for changing it; null if none. */
    check(call, path, change = false) {
      prepare();
      const found = guard.check(path, change ? 1 : 0);
      return found === null ? null : denial(call, path, found);
    },
    /** Adds the policy in a decoded policy file. Protection only grows, so anybody may call it. */
    protect(object) {
      const copy = JSON.parse(JSON.stringify(object));
      const added = parsePolicy(copy);
      if (objects.some((known) => JSON.stringify(parsePolicy(known)) === JSON.stringify(added))) return;
      objects.push(copy);
      if (guard !== null) guard.add(added);
    },
  });
}

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
// /tmp/jiti/<extension>.mjs was executed at the next load. What agentbox compiled beforehand lies where none can write,
// and is in use by now.
function distrustCaches() {
  process.env.JITI_FS_CACHE = 'false';
  process.env.NODE_DISABLE_COMPILE_CACHE = '1';
}

// Without a listener this signal opens a debugger, to which any process that reaches its port may say what the agent is to
// do. Landlock keeps tools from signalling the agent since Linux 6.12.
function ignoreDebuggerSignal() {
  process.on('SIGUSR1', () => {});
}

/** Installs the guard in this thread from a decoded policy file; the entry passes what it read from POLICY_FILE. */
const installFrom = (object) => install(object, __filename);

/** What a worker was given by the thread that started it. Workers have this file among their options, the main thread need not be asked. */
const inherited = () => (process.execArgv.includes(__filename) ? require('./workers.js').inherited() : undefined);

function installInherited({ objects, tool }) {
  for (const object of objects) install(object, __filename, tool);
}

function start() {
  dropFromEnvironment();
  distrustCaches();
  try {
    const given = inherited();
    if (given === undefined) {
      ignoreDebuggerSignal();
      installFrom(loadPolicy());
    } else installInherited(given);
  } catch (error) {
    const what = error instanceof PolicyError ? `${POLICY_FILE}: ${error.message}` : `the in-process guard failed: ${error.stack}`;
    process.stderr.write(`agentbox: ${what}. Hint: start the agent through agentbox, which renders this file\n`);
    process.exit(125);
  }
}

module.exports = { installFrom, withoutEntry };

// `--require` loads this file without a parent module; a test requires it and calls installFrom.
if (module.parent === null || module.parent === undefined || module.parent.id === 'internal/preload') start();
