'use strict';
// Worker threads: each loads the hook, and learns the policies and whether a tool started it.

const workers = require('node:worker_threads');
const p = require('./primordials.js');

// How a worker learns its policies: environment data is copied when a worker is constructed.
const WORKER_DATA = 'agentbox.firewall';

const { setEnvironmentData, getEnvironmentData, isMainThread } = workers;

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

/** What this thread was given by the thread that started it; undefined in the main thread. */
function inherited() {
  if (isMainThread) return undefined;
  const data = getEnvironmentData(WORKER_DATA);
  setEnvironmentData(WORKER_DATA, undefined);
  return data;
}

module.exports = { patchWorker, inherited };
