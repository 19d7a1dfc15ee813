'use strict';
// The rest of methods.js: ways to files and to the agent's memory that are not functions of fs. They are patched when
// the first tool runs: loading the modules costs each start, and two of them print warnings.

const module_ = require('node:module');
const { constants: { signals: { SIGUSR1 } } } = require('node:os');
const { fileURLToPath } = require('node:url');
const p = require('./primordials.js');
const { denial, refusal } = require('./guard.js');
const { READ, CHANGE } = require('./rules.js');
const { DOORS, CLASSES, REFUSED } = require('./methods.js');
const { dress } = require('./patch.js');

// What process.binding would hand out of node's inside.
const RAW_BINDINGS = ['fs', 'fs_dir', 'fs_event_wrap', 'process_wrap', 'spawn_sync', 'inspector', 'wasi', 'contextify', 'heap_utils'];

const CONDITIONS = {
  rawBinding: (args) => {
    for (let i = 0; i < RAW_BINDINGS.length; i++) if (args[0] === RAW_BINDINGS[i]) return true;
    return false;
  },
  debuggerSignal: (args) => +args[1] === SIGUSR1,
  fileStatement: (args) => {
    const sql = p.lower(args[0]);
    return p.indexOf(sql, 'attach') !== -1 || (p.indexOf(sql, 'vacuum') !== -1 && p.indexOf(sql, 'into') !== -1);
  },
};

// Objects become text before a condition sees them, so that they cannot answer twice.
const pinText = (value) => (value === null || typeof value !== 'object' || p.isView(value) ? value : `${value}`);

const MODULES = [...new Set([...DOORS, ...CLASSES, ...REFUSED].map(([name]) => name))];

/** A module, or undefined where this node has none of that name. */
function loadModule(name) {
  if (name === 'process') return process;
  if (name === 'process.report') return process.report;
  try {
    return require(`node:${name}`);
  } catch {
    return undefined;
  }
}

/** Everything but fs, for good. */
function patchDoors(patcher) {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    for (const name of MODULES) {
      const object = loadModule(name);
      if (object !== undefined) patchModule(patcher, name, object);
    }
  } finally {
    process.emitWarning = emitWarning;
  }
  bindRegistry(patcher);
  hookModuleLoads(patcher); // with the original of what has just been refused
  module_.syncBuiltinESMExports();
}

const { registerHooks } = module_;

function patchModule(patcher, name, object) {
  for (const [module, property, roles, missing] of DOORS) {
    if (module === name) patcher.patch(object, property, roles, 'throw', property, missing);
  }
  for (const [module, property, reason, when] of REFUSED) {
    if (module !== name) continue;
    const properties = property === '*' ? p.ownKeys(object) : [property];
    for (const each of properties) refuse(patcher, object, each, reason, CONDITIONS[when] ?? (() => true));
  }
  for (const [module, property, role] of CLASSES) {
    if (module === name && typeof object[property] === 'function') patchClass(patcher, object, property, role);
  }
}

function refuse({ inTool }, object, property, reason, condition) {
  const steps = `${String(property)}`.split('.');
  const name = steps.pop();
  const owner = steps.reduce((at, step) => at?.[step], object);
  const original = owner?.[name];
  if (typeof original !== 'function') return;
  const wrapper = function (...args) {
    if (inTool()) {
      for (let i = 0; i < args.length; i++) args[i] = pinText(args[i]);
      if (condition(args)) {
        throw refusal(name, null, `${name} (agentbox: refused to tools, because ${reason}. Hint: do it in a child process)`);
      }
    }
    return new.target === undefined ? p.apply(original, this, args) : p.construct(original, args);
  };
  p.defineProperty(wrapper, 'name', { value: name, configurable: true });
  p.defineProperty(owner, name, { value: dress(wrapper, original), writable: true, configurable: true });
}

function patchClass({ inTool, guard }, object, name, role) {
  const Original = object[name];
  const Patched = new Proxy(Original, {
    construct(target, args, newTarget) {
      if (inTool()) {
        const denied = role === 'database' ? checkDatabase(guard, args) : checkPreopens(args);
        if (denied !== null) throw denied;
      }
      return p.construct(target, args, newTarget === Patched ? target : newTarget);
    },
  });
  // Otherwise (new X()).constructor is the way back.
  p.defineProperty(Original.prototype, 'constructor', { value: Patched, writable: true, configurable: true });
  p.defineProperty(object, name, { value: Patched, writable: true, configurable: true, enumerable: true });
}

/** Callbacks of the collector run outside every context; those that a tool registers are taken back into it. */
function bindRegistry({ inTool, runAsTool }) {
  const Original = globalThis.FinalizationRegistry;
  const Patched = new Proxy(Original, {
    construct(target, args, newTarget) {
      const [callback] = args;
      if (inTool() && typeof callback === 'function') args[0] = (held) => runAsTool(() => p.apply(callback, undefined, [held]));
      return p.construct(target, args, newTarget === Patched ? target : newTarget);
    },
  });
  p.defineProperty(Original.prototype, 'constructor', { value: Patched, writable: true, configurable: true });
  p.defineProperty(globalThis, 'FinalizationRegistry', { value: Patched, writable: true, configurable: true });
}

/** SQLite takes a path, ':memory:', or a file: URI with a query, in which any character may be %-encoded. */
function checkDatabase(guard, args) {
  const { text, value } = guard.pin(args[0]);
  args[0] = value;
  if (text === null || text === ':memory:' || text === '') return null;
  let file = text;
  if (p.startsWith(p.lower(text), 'file:')) {
    const query = p.indexOf(text, '?');
    try {
      file = p.decodeUri(p.slice(text, 5, query === -1 ? undefined : query));
    } catch {
      return refusal('open', text, `open '${text}' (agentbox: not a file URI that can be checked)`);
    }
    while (p.startsWith(file, '//')) file = p.slice(file, 1);
  }
  const found = guard.check(file, CHANGE);
  return found === null ? null : denial('open', file, found);
}

function checkPreopens(args) {
  const preopens = args[0]?.preopens;
  if (preopens === undefined || p.ownKeys(preopens).length === 0) return null;
  return refusal('WASI', null, 'WASI preopens (agentbox: refused to tools, because WASI opens files past every check. Hint: do it in a child process)');
}

/** import() reads through functions that node captured before us; a load hook sees the URL. */
function hookModuleLoads({ inTool, guard }) {
  registerHooks({
    load(url, context, nextLoad) {
      if (p.startsWith(url, 'file:')) {
        const file = fileURLToPath(url);
        const found = inTool() ? guard.check(file, READ) : null;
        if (found !== null) throw denial('open', file, found);
      }
      return nextLoad(url, context);
    },
  });
}

module.exports = { patchDoors };
