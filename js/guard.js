'use strict';
// Decides whether a path that a tool names is protected. Order, cheapest first: the spelling itself; where it really
// leads (symlinks, /proc/self/fd/N, a link that dangles); for a file with several names, its inode.

const fs = require('node:fs');
const path = require('node:path');
const url = require('node:url');
const p = require('./primordials.js');
const { matchPath, isBelow } = require('./policy.js');

// Originals, taken before methods.js is applied.
const { lstatSync, statSync, readlinkSync, readdirSync, promises } = fs;
const realpath = fs.realpathSync.native;
const { resolve, dirname, basename } = path;
const { fileURLToPath } = url;
const openHandle = promises.open;

const QUIET = p.freeze({ throwIfNoEntry: false });
const MAX_LINKS = 40;
// Handed on in place of an argument that is no path, so that node reports the type and no getter can answer twice.
const NOT_A_PATH = p.freeze({ __proto__: null, toString: () => 'no path' });

const isUrl = (value) => Boolean(value.href && value.protocol && value.auth === undefined && value.path === undefined);

class Guard {
  #policy;
  #paths;
  #fileHandle = null;

  constructor(policy) {
    this.#policy = policy;
    const list = p.create(null);
    let count = 0;
    for (let i = 0; i < policy.paths.length; i++) {
      list[count++] = policy.paths[i];
      const real = this.canonical(policy.paths[i]);
      if (real !== policy.paths[i]) list[count++] = real;
    }
    list.length = count;
    this.#paths = p.freeze(list);
    p.freeze(this);
  }

  get agent() { return this.#policy.agent; }

  /** FileHandle is no public class; one handle shows its prototype. */
  async learnFileHandle() {
    if (this.#fileHandle !== null) return;
    const handle = await openHandle('/dev/null', 'r');
    this.#fileHandle = p.getPrototypeOf(handle);
    await handle.close();
  }

  /**
   * A path argument in a form that cannot change between the check and the call: { text, value }.
   * text is null where the argument is no path (a descriptor, a FileHandle, a wrong type).
   */
  pin(argument) {
    if (typeof argument === 'string') return { text: argument, value: argument };
    if (argument === null || typeof argument !== 'object') return { text: null, value: argument };
    if (p.isView(argument) && p.tag(argument) === 'Uint8Array') {
      const bytes = p.bufferFrom(p.copyBytes(argument));
      return { text: p.decode(bytes, 'utf8'), value: bytes };
    }
    if (this.#fileHandle !== null && p.getPrototypeOf(argument) === this.#fileHandle) return { text: null, value: argument };
    let text = null;
    try {
      if (isUrl(argument)) text = fileURLToPath(argument);
    } catch {
      text = null;
    }
    return text === null ? { text: null, value: NOT_A_PATH } : { text, value: text };
  }

  /** The rule that protects `text`, or null. */
  check(text) {
    const absolute = p.charCode(text, 0) === 47 ? text : `${p.cwd()}/${text}`;
    const lexical = matchPath(this.#policy, this.#paths, resolve(absolute));
    if (lexical !== null) return lexical;
    const real = this.canonical(absolute);
    return matchPath(this.#policy, this.#paths, real) ?? this.#checkInode(real);
  }

  /** As check, and also where a protected path lies below: for calls that move or remove whole trees. */
  checkTree(text) {
    const rule = this.check(text);
    if (rule !== null) return rule;
    const real = this.canonical(resolve(p.cwd(), text));
    for (let i = 0; i < this.#paths.length; i++) {
      if (isBelow(this.#paths[i], real)) return `path ${this.#paths[i]}`;
    }
    return null;
  }

  /** As checkTree, and the tree is walked: for recursive copies, which node does out of sight. */
  checkCopy(text) {
    const rule = this.checkTree(text);
    if (rule !== null) return rule;
    return this.#walk(resolve(p.cwd(), text));
  }

  #walk(directory) {
    if (lstatSync(directory, QUIET)?.isDirectory() !== true) return null;
    const names = readdirSync(directory);
    for (let i = 0; i < names.length; i++) {
      const child = `${directory}/${names[i]}`;
      const rule = this.check(child) ?? this.#walk(child);
      if (rule !== null) return rule;
    }
    return null;
  }

  /** Where a path leads. The last component may be missing, or be a link to something missing. */
  canonical(absolute, depth = 0) {
    try {
      return realpath(absolute);
    } catch {
      if (depth > MAX_LINKS || absolute === '/' || absolute === '') return resolve('/', absolute);
    }
    const trimmed = p.endsWith(absolute, '/') ? p.slice(absolute, 0, -1) : absolute;
    const parent = this.canonical(dirname(trimmed), depth + 1);
    const name = basename(trimmed);
    if (name === '..') return dirname(parent);
    const child = name === '.' ? parent : resolve(parent, name);
    let target;
    try {
      target = readlinkSync(child);
    } catch {
      return child;
    }
    return this.canonical(p.charCode(target, 0) === 47 ? target : `${parent}/${target}`, depth + 1);
  }

  /** Another name of a protected file. Only files with several names are compared. */
  #checkInode(real) {
    let found;
    try {
      found = statSync(real, QUIET);
    } catch {
      return null;
    }
    if (found === undefined || found.nlink < 2 || found.isDirectory()) return null;
    for (let i = 0; i < this.#paths.length; i++) {
      let known;
      try {
        known = statSync(this.#paths[i], QUIET);
      } catch {
        continue;
      }
      if (known !== undefined && known.ino === found.ino && known.dev === found.dev) return `path ${this.#paths[i]}`;
    }
    return null;
  }

  /** The error a tool gets: object, cause, what to do; shaped like node's own EACCES. */
  denial(call, text, rule) {
    return refusal(call, text, `${call} '${text}' (agentbox: protected by ${rule}; only ${this.agent} itself may touch it, its tools may not. `
      + 'Hint: work without this file, or ask the user to do this step outside agentbox)');
  }
}

function refusal(call, text, message) {
  const error = new p.ErrorClass(`EACCES: permission denied, ${message}`);
  error.errno = -13;
  error.code = 'EACCES';
  error.syscall = call;
  if (text !== null) error.path = text;
  return error;
}

module.exports = { Guard, refusal };
