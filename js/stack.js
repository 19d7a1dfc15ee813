'use strict';
// Whether a file of a tool is on the stack: for harness versions that ship their tools as files (docs/internals.md).

const { getCallSites } = require('node:util');
const { pathToFileURL } = require('node:url');
const p = require('./primordials.js');

const MAX_FRAMES = 200; // the most that node gives; the agent never calls that deep

/** Whether a file of a tool is on the stack. getCallSites heeds neither Error.stackTraceLimit nor prepareStackTrace. */
function createStackCheck(directories) {
  if (typeof getCallSites !== 'function') throw new Error('tools shipped as files need node 22.9 or newer');
  const prefixes = p.freeze(directories.flatMap((directory) => [`${directory}/`, `${pathToFileURL(directory).href}/`]));
  return () => {
    const sites = getCallSites(MAX_FRAMES);
    for (let i = 0; i < sites.length; i++) {
      for (let k = 0; k < prefixes.length; k++) if (p.startsWith(sites[i].scriptName, prefixes[k])) return true;
    }
    return sites.length >= MAX_FRAMES; // what lies below cannot be seen
  };
}

module.exports = { createStackCheck };
