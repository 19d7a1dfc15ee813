'use strict';
// The tool context. No stack is read: whether a tool runs is carried by AsyncLocalStorage through promises, timers,
// queueMicrotask and callbacks, so it also holds where no frame of the tool is left on the stack. The storage stays in
// this file; what is handed out can enter the context and cannot leave it.

const { AsyncLocalStorage } = require('node:async_hooks');
const { uncurryThis } = require('./primordials.js');

const getStore = uncurryThis(AsyncLocalStorage.prototype.getStore);
const run = uncurryThis(AsyncLocalStorage.prototype.run);
const TOOL = Symbol('agentbox.tool');

/** { inTool, runAsTool }; with `always`, as in a worker that a tool started, everything is a tool. */
function createContext(always = false) {
  const storage = new AsyncLocalStorage();
  const inTool = always ? () => true : () => getStore(storage) === TOOL;
  const runAsTool = (fn) => run(storage, TOOL, fn);
  return { inTool, runAsTool };
}

module.exports = { createContext };
