'use strict';
// What a tool was refused, as a line of JSON in the file that the policy names, for `agentbox audit`. Tools can write such
// lines too: it tells people what happened and convicts nobody. Never waits, never throws, and holds no file's content.

const p = require('./primordials.js');

const { openSync, fstatSync, writeSync, closeSync, constants } = p.original;
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOFOLLOW;
const FULL = 1 << 20; // bytes; as the vault's, which writes to the same file
const LONGEST = 1024;

const cut = (text) => p.slice(`${text}`, 0, LONGEST);

function record({ audit, agent, rule }, operation, path) {
  if (audit === null) return;
  try {
    const line = p.stringify({
      __proto__: null, time: p.now() / 1000, agent, layer: 'guard', operation: cut(operation), path: cut(path), rule: cut(rule.text),
    });
    const fd = openSync(audit, FLAGS);
    try {
      const status = fstatSync(fd);
      if (status.isFile() && status.size < FULL) writeSync(fd, `${line}\n`);
    } finally {
      closeSync(fd);
    }
  } catch {
    // no such file: a container without a place for records
  }
}

module.exports = { record };
