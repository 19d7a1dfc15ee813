'use strict';
// Puts the parts together in one thread: policy → guard → patched modules → the channel on `process`.

const workers = require('node:worker_threads');
const module_ = require('node:module');
const { fileURLToPath } = require('node:url');
const p = require('./primordials.js');
const { createContext } = require('./context.js');
const { Guard } = require('./guard.js');
const { Patcher } = require('./patch.js');

// How an extension finds the guard. Defined once, before any other code, neither writable nor configurable.
const CHANNEL = Symbol.for('agentbox.firewall');
// How a worker learns its policy: environment data is copied when a worker is constructed.
const WORKER_DATA = 'agentbox.firewall';

const { setEnvironmentData, getEnvironmentData, isMainThread } = workers;

/** Modules that are patched when the first tool runs: loading them earlier costs each start, and two print warnings. */
function patchLazyModules(patcher) {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    for (const name of ['sqlite', 'wasi', 'inspector', 'v8']) {
      let loaded;
      try {
        loaded = require(`node:${name}`);
      } catch {
        continue; // this node was built without it
      }
      patcher.patchModule(name, loaded);
    }
  } finally {
    process.emitWarning = emitWarning;
  }
  module_.syncBuiltinESMExports();
}

/** import() reads through functions that node captured before us; a load hook sees the URL. */
function hookModuleLoads(guard, inTool) {
  module_.registerHooks({
    load(url, context, nextLoad) {
      if (inTool() && p.startsWith(url, 'file:')) {
        const file = fileURLToPath(url);
        const rule = guard.check(file);
        if (rule !== null) throw guard.denial('import', file, rule);
      }
      return nextLoad(url, context);
    },
  });
}

/** A worker gets the hook whatever its execArgv says, and is a tool through and through if a tool starts it. */
function patchWorker(policyObject, entry, inTool) {
  const Original = workers.Worker;
  const Patched = new Proxy(Original, {
    construct(target, args, newTarget) {
      const options = p.assign({}, args[1]);
      const inherits = !p.isArray(options.execArgv);
      const make = (execArgv) => {
        options.execArgv = execArgv;
        return p.construct(target, [args[0], options], newTarget === Patched ? target : newTarget);
      };
      setEnvironmentData(WORKER_DATA, { policy: policyObject, tool: inTool() });
      try {
        return make(['--require', entry, ...(inherits ? process.execArgv : options.execArgv)]);
      } catch (error) {
        // A worker takes no option of the whole process (--max-old-space-size …) that it would have inherited in silence.
        if (!inherits || error.code !== 'ERR_WORKER_INVALID_EXEC_ARGV') throw error;
        return make(['--require', entry]);
      } finally {
        setEnvironmentData(WORKER_DATA, undefined);
      }
    },
  });
  p.defineProperty(Original.prototype, 'constructor', { value: Patched, writable: true, configurable: true });
  p.defineProperty(workers, 'Worker', { value: Patched, writable: true, configurable: true, enumerable: true });
}

/** What a worker was given by the thread that started it; undefined in the main thread. */
function inherited() {
  if (isMainThread) return undefined;
  const data = getEnvironmentData(WORKER_DATA);
  setEnvironmentData(WORKER_DATA, undefined);
  return data;
}

/**
 * Installs the guard. `policy` is a parsed policy, `policyObject` what it was parsed from (workers parse it again),
 * `entry` the file that a worker loads with --require.
 */
function install(policy, policyObject, entry, always = false) {
  if (process[CHANNEL] !== undefined) throw new Error('agentbox: the guard is installed already');
  const guard = new Guard(policy);
  const { inTool, runAsTool } = createContext(always);
  const patcher = new Patcher(guard, inTool);
  patcher.patchFs();
  patcher.patchModule('process', process);
  if (process.report) patcher.patchModule('process.report', process.report);
  patcher.patchModule('module', module_);
  patchWorker(policyObject, entry, inTool);
  module_.syncBuiltinESMExports();

  let prepared = false;
  const prepare = () => {
    if (prepared) return;
    prepared = true;
    patchLazyModules(patcher);
    hookModuleLoads(guard, inTool);
    guard.learnFileHandle().catch(() => {}); // until then a FileHandle as path argument is refused, which is harmless
  };
  if (always) prepare();

  const channel = p.freeze({
    version: 1,
    agent: policy.agent,
    runAsTool(fn) {
      prepare();
      return runAsTool(fn);
    },
    /** The error that a tool would get for `path`, or null. */
    check(call, path) {
      const rule = guard.check(path);
      return rule === null ? null : guard.denial(call, path, rule);
    },
  });
  p.defineProperty(process, CHANNEL, { value: channel, writable: false, configurable: false, enumerable: false });
  return channel;
}

module.exports = { CHANNEL, install, inherited };
