'use strict';
// Whether a tool is running. AsyncLocalStorage carries it through promises, timers, queueMicrotask and callbacks, so it
// also holds where no frame of the tool is left on the stack; no stack is read for that. The storage stays in this file;
// what is handed out can enter the context and cannot leave it.
//
// Harness versions that ship their tools as files (policy: `frames`) are recognized by their stack as well. There the
// path is judged first and the stack is taken only for a protected one, since a stack costs more than a judgement.

const { AsyncLocalStorage } = require('node:async_hooks');
const p = require('./primordials.js');

const TOOL = Symbol('agentbox.tool');
const METHODS = ['getStore', 'enterWith', 'run', 'exit', 'disable'];

/** A storage with methods of its own: node's call each other through the prototype, which a tool may have replaced. */
function createStorage() {
  const storage = new AsyncLocalStorage();
  for (const name of METHODS) p.defineProperty(storage, name, { value: AsyncLocalStorage.prototype[name] });
  return storage;
}

/**
 * { inTool, mayBeTool, runAsTool, byStack }: `mayBeTool` is quick and never wrongly false; where it says yes, `inTool` decides.
 * With `always`, as in a worker that a tool started, everything is a tool. `directories` hold tools shipped as files.
 */
function createContext(always, directories) {
  const storage = createStorage();
  const marked = always ? () => true : () => storage.getStore() === TOOL;
  const runAsTool = (fn) => storage.run(TOOL, fn);
  if (always || directories.length === 0) return { inTool: marked, mayBeTool: marked, runAsTool, byStack: false };
  const onStack = require('./stack.js').createStackCheck(directories);
  return { inTool: () => marked() || onStack(), mayBeTool: () => true, runAsTool, byStack: true };
}

module.exports = { createContext };
