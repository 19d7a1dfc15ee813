'use strict';
// Decides whether a path that a tool names is protected. Order, cheapest first: the spelling itself; where it really
// leads (symlinks, /proc/self/fd/N, a link that dangles); for a file with several names, its inode.
// Loaded when the first tool runs; what it calls was taken from fs before that was patched.

const fs = require('node:fs');
const { original } = require('./primordials.js');
const p = require('./primordials.js');
const { record } = require('./record.js');
const { Rules, READ, CHANGE, ENTRY } = require('./rules.js');

const { lstatSync, statSync, readlinkSync, readdirSync, realpath, resolve, dirname, basename, fileURLToPath } = original;

const QUIET = p.freeze({ throwIfNoEntry: false });
const MAX_LINKS = 40;
// Handed on in place of an argument that is no path, so that node reports the type and no getter can answer twice.
const NOT_A_PATH = p.freeze({ __proto__: null, toString: () => 'no path' });

const isUrl = (value) => Boolean(value.href && value.protocol && value.auth === undefined && value.path === undefined);
const toAbsolute = (text) => (p.charCode(text, 0) === 47 ? text : `${p.cwd()}/${text}`);

/** Where a path leads. The last component may be missing, or be a link to something missing. */
function canonical(absolute, depth = 0) {
  try {
    return realpath(absolute);
  } catch {
    if (depth > MAX_LINKS || absolute === '/' || absolute === '') return resolve('/', absolute);
  }
  const trimmed = p.endsWith(absolute, '/') ? p.slice(absolute, 0, -1) : absolute;
  const parent = canonical(dirname(trimmed), depth + 1);
  const name = basename(trimmed);
  if (name === '..') return dirname(parent);
  const child = name === '.' ? parent : resolve(parent, name);
  let target;
  try {
    target = readlinkSync(child);
  } catch {
    return child;
  }
  return canonical(p.charCode(target, 0) === 47 ? target : `${parent}/${target}`, depth + 1);
}

class Guard {
  #agents = p.create(null);
  #audits = p.create(null);
  #sets = p.create(null); // Rules of each policy; any of them may object
  #count = 0;
  #fileHandle = null;

  /** Adds a policy. None is ever taken back. */
  add(policy) {
    this.#agents[this.#count] = policy.agent;
    this.#audits[this.#count] = policy.audit;
    this.#sets[this.#count++] = new Rules(policy, canonical);
  }

  /** FileHandle is no public class; one handle shows its prototype. */
  async learnFileHandle() {
    if (this.#fileHandle !== null) return;
    const handle = await fs.promises.open('/dev/null', 'r');
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

  #first(ask) {
    for (let i = 0; i < this.#count; i++) {
      const rule = ask(this.#sets[i]);
      if (rule !== null) return { rule, agent: this.#agents[i], audit: this.#audits[i] };
    }
    return null;
  }

  /** { rule, agent, audit } that keeps a tool from doing `kind` to `text`, or null. */
  check(text, kind) {
    const absolute = toAbsolute(text);
    const lexical = resolve(absolute);
    const spelled = this.#first((set) => set.judge(lexical, kind));
    if (spelled !== null) return spelled;
    const real = canonical(absolute);
    if (real !== lexical) {
      const led = this.#first((set) => set.judge(real, kind));
      if (led !== null) return led;
    }
    if (kind === ENTRY) {
      const name = p.endsWith(absolute, '/') ? lexical : absolute;
      const parent = canonical(dirname(name));
      const beside = this.#first((set) => set.judgeEntry(parent, resolve(parent, basename(name))));
      if (beside !== null) return beside;
    }
    return this.#checkFile(real, kind);
  }

  /** A new name beside protected ones, or another name of a protected file. Only files with several names are compared. */
  #checkFile(real, kind) {
    let found;
    try {
      found = statSync(real, QUIET);
    } catch {
      return null;
    }
    if (found === undefined) return kind === READ ? null : this.#checkNew(real);
    if (found.nlink < 2 || found.isDirectory()) return null;
    return this.#first((set) => {
      for (let i = 0; i < set.listed.length; i++) {
        const { path, rule } = set.listed[i];
        if (rule === null || (kind === READ && rule.readable)) continue;
        let known;
        try {
          known = statSync(path, QUIET);
        } catch {
          continue;
        }
        if (known !== undefined && known.ino === found.ino && known.dev === found.dev) return rule;
      }
      return null;
    });
  }

  /** A name that is not there yet, and the directories that may have to be made for it. */
  #checkNew(name) {
    for (let child = name, parent = dirname(name); ; child = parent, parent = dirname(parent)) {
      const beside = this.#first((set) => set.judgeEntry(parent, child));
      if (beside !== null || parent === '/' || statSync(parent, QUIET) !== undefined) return beside;
    }
  }

  /** As check, and also where a protected path lies below: for calls that move, remove or fill whole trees. */
  checkTree(text, kind) {
    const found = this.check(text, kind);
    if (found !== null) return found;
    const real = canonical(toAbsolute(text));
    return this.#first((set) => set.judgeBelow(real));
  }

  /** A copy of a tree, which node makes out of sight: what it holds may be read, and what it becomes may be changed. */
  checkCopy(from, to, follow) {
    const found = this.check(from, READ) ?? (to === null ? null : this.check(to, CHANGE));
    if (found !== null) return found;
    const absolute = resolve(toAbsolute(from));
    if ((follow ? statSync : lstatSync)(absolute, QUIET)?.isDirectory() !== true) return null;
    const names = readdirSync(absolute);
    for (let i = 0; i < names.length; i++) {
      const child = this.checkCopy(`${absolute}/${names[i]}`, to === null ? null : `${to}/${names[i]}`, follow);
      if (child !== null) return child;
    }
    return null;
  }
}

/** The error a tool gets, and a line in the records: object, cause, what to do; shaped like node's own EACCES. */
function denial(syscall, text, found) {
  const { rule, agent } = found;
  record(found, syscall, text);
  const ask = 'or ask the user to do this step outside agentbox';
  let why = `only ${agent} itself may touch it, its tools may not. Hint: work without this file, ${ask}`;
  if (rule.readable) {
    const may = rule.shut ? 'make and remove nothing in it' : 'may read it, not change it';
    why = `its tools ${may}. Hint: work in the workspace, ${ask} (\`agentbox setup ${agent}\`)`;
  }
  return refusal(syscall, text, `${syscall} '${text}' (agentbox: protected by ${rule.text}; ${why})`);
}

function refusal(syscall, text, message) {
  const error = new p.ErrorClass(`EACCES: permission denied, ${message}`);
  error.errno = -13;
  error.code = 'EACCES';
  error.syscall = syscall;
  if (text !== null) error.path = text;
  return error;
}

module.exports = { Guard, denial, refusal };
