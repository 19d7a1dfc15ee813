'use strict';
// Puts the parts together in one thread: context → patched fs and Worker → the channel on `process`. What only tools
// need (guard.js, doors.js) is loaded when the first one runs.

const workers = require('node:worker_threads');
const module_ = require('node:module');
const p = require('./primordials.js');
const { createContext } = require('./context.js');
const { Patcher } = require('./patch.js');
const { VERSION, parsePolicy } = require('./policy.js');

// How an extension finds the guard. Defined once, before any other code, neither writable nor configurable.
const CHANNEL = Symbol.for('agentbox.firewall');
// How a worker learns its policies: environment data is copied when a worker is constructed.
const WORKER_DATA = 'agentbox.firewall';

const { setEnvironmentData, getEnvironmentData, isMainThread } = workers;
const { existsSync, realpathSync } = require('node:fs');
const { dirname } = p.original;

/** A worker gets the hook whatever its execArgv says, and is a tool through and through if a tool starts it. */
function patchWorker(objects, entry, inTool) {
  const Original = workers.Worker;
  const Patched = new Proxy(Original, {
    construct(target, args, newTarget) {
      const options = p.assign({}, args[1]);
      const inherits = !p.isArray(options.execArgv);
      const make = (execArgv) => {
        options.execArgv = execArgv;
        return p.construct(target, [args[0], options], newTarget === Patched ? target : newTarget);
      };
      setEnvironmentData(WORKER_DATA, { objects: [...objects], tool: inTool() });
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
  const policy = parsePolicy(object);
  const present = process[CHANNEL];
  if (present !== undefined) {
    if (present.version !== VERSION) throw new Error(`a guard of version ${present.version} is installed already, this is ${VERSION}`);
    present.protect(object);
    return present;
  }
  const context = createContext(always, findToolDirectories(policy.frames));
  const patcher = new Patcher(context);
  patcher.patchFs();
  const objects = [];
  patchWorker(objects, entry, context.inTool);
  module_.syncBuiltinESMExports();
  const channel = createChannel(policy.agent, patcher, context, objects);
  channel.protect(object);
  p.defineProperty(process, CHANNEL, { value: channel, writable: false, configurable: false, enumerable: false });
  if (always || context.byStack) channel.check('open', '/');
  return channel;
}

function createChannel(agent, patcher, { runAsTool }, objects) {
  const waiting = [];
  const seen = new Set();
  let guard = null;

  /** Loads what only tools need, before the first of them runs. */
  const prepare = () => {
    if (guard !== null) return;
    const parts = require('./guard.js');
    guard = new parts.Guard();
    while (waiting.length > 0) guard.add(waiting.shift());
    patcher.arm({ guard, denial: parts.denial });
    guard.learnFileHandle().catch(() => {}); // until then a FileHandle as path argument is refused, which is harmless
    require('./doors.js').patchDoors(patcher);
  };
  return p.freeze({
    version: VERSION,
    agent,
    runAsTool(fn) {
      prepare();
      return runAsTool(fn);
    },
    /** The error that a tool would get for reading `path`, or for changing it; null if none. */
    check(call, path, change = false) {
      prepare();
      const found = guard.check(path, change ? 1 : 0);
      return found === null ? null : require('./guard.js').denial(call, path, found);
    },
    /** Adds the policy in a decoded policy file. Protection only grows, so anybody may call it. */
    protect(object) {
      const policy = parsePolicy(object);
      const text = JSON.stringify(policy);
      if (seen.has(text)) return;
      seen.add(text);
      objects.push(structuredClone(object));
      if (guard === null) waiting.push(policy);
      else guard.add(policy);
    },
  });
}

module.exports = { CHANNEL, install, inherited };
