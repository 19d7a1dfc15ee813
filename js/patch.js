'use strict';
// Applies the table of fs functions in methods.js. A patched function first asks whether a tool may be running; where
// none is, it is one call more. doors.js patches the rest.

const fs = require('node:fs');
const p = require('./primordials.js');
const { FS, SYSCALL, DELIVERY } = require('./methods.js');

const { resolve, dirname } = p.original;
const [READ, CHANGE, ENTRY] = [0, 1, 2]; // as in rules.js, which is loaded later

const KINDS = p.freeze({ __proto__: null, read: READ, change: CHANGE, into: CHANGE, entry: ENTRY, tree: ENTRY });
const WRITING = fs.constants.O_WRONLY | fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC | fs.constants.O_APPEND;

const STREAMS = ['createReadStream', 'createWriteStream', 'ReadStream', 'WriteStream', 'FileReadStream', 'FileWriteStream'];

/** Whether flags of open() leave the file as it is. What node would refuse counts as a change. */
function kindOfFlags(flags) {
  if (flags === undefined || flags === null || typeof flags === 'function') return READ;
  if (typeof flags === 'number') return (flags & WRITING) === 0 ? READ : CHANGE;
  return flags === 'r' || flags === 'rs' || flags === 'sr' ? READ : CHANGE;
}

/** Options in a form that answers once. */
function pinOptions(args, index) {
  const given = args[index];
  if (given === null || typeof given !== 'object') return undefined;
  const copy = p.assign(p.create(null), given);
  args[index] = copy;
  return copy;
}

class Patcher {
  #context;
  #guard = null;
  #denial = null;
  // The path that the patched function now running has checked: readFileSync opens with openSync, which is patched too.
  #passed = null;
  #passedKind = READ;

  constructor(context) {
    this.#context = context;
  }

  get inTool() { return this.#context.inTool; }
  get runAsTool() { return this.#context.runAsTool; }
  get guard() { return this.#guard; }

  /** The guard comes when the first tool does: until then nothing is checked. */
  arm({ guard, denial }) {
    this.#guard = guard;
    this.#denial = denial;
  }

  patchFs() {
    for (const name in FS) {
      const roles = FS[name];
      this.patch(fs, name, roles, DELIVERY[name] ?? 'callback', name);
      this.patch(fs, `${name}Sync`, roles, DELIVERY[`${name}Sync`] ?? 'throw', name);
      this.patch(fs.promises, name, roles, DELIVERY[`promises.${name}`] ?? 'reject', name);
    }
    for (const name of ['realpath', 'realpathSync']) {
      const native = this.#wrap(fs[name].native, FS.realpath, name === 'realpath' ? 'callback' : 'throw', 'realpath');
      p.defineProperty(fs[name], 'native', { value: native, writable: true, configurable: true, enumerable: true });
    }
    if (this.#context.byStack) for (const name of STREAMS) fs[name] = this.#enter(fs[name]);
  }

  /** A stream opens its file when the frames of the tool that made it are gone; so it is made in the tool context. */
  #enter(original) {
    const { inTool, runAsTool } = this.#context;
    const make = (call) => (inTool() ? runAsTool(call) : call());
    return new Proxy(original, {
      apply: (target, self, args) => make(() => p.apply(target, self, args)),
      construct: (target, args, newTarget) => make(() => p.construct(target, args, newTarget)),
    });
  }

  /** Puts a checked function in the place of owner[name], where there is one. */
  patch(owner, name, roles, delivery, call, missing) {
    const original = owner[name];
    if (typeof original === 'function') owner[name] = this.#wrap(original, roles, delivery, SYSCALL[call] ?? call, missing);
  }

  #wrap(original, roles, delivery, syscall, missing) {
    const { mayBeTool } = this.#context;
    const guarded = (self, args) => this.#guarded(original, self, args, { roles, delivery, syscall, missing });
    const wrapper = function (...args) {
      return mayBeTool() ? guarded(this, args) : p.apply(original, this, args);
    };
    return dress(wrapper, original);
  }

  #guarded(original, self, given, { roles, delivery, syscall, missing }) {
    if (this.#guard === null) return p.apply(original, self, given); // still loading it
    const { byStack, inTool } = this.#context;
    // Where the stack decides, the arguments stay as the agent gave them until it is known to be a tool.
    const args = byStack ? p.assign([], given) : given;
    if (missing !== undefined && args.length === 0) args[0] = missing;
    const checked = { kind: READ };
    const denied = this.#checkArguments(roles, args, checked);
    if (denied !== null && inTool()) return deliver(delivery, this.#denial(syscall, denied.text, denied), args);
    if (byStack || delivery === 'reject' || typeof args[0] !== 'string') return p.apply(original, self, byStack ? given : args);
    const [passed, passedKind] = [this.#passed, this.#passedKind];
    this.#passed = args[0];
    this.#passedKind = checked.kind;
    try {
      return p.apply(original, self, args);
    } finally {
      this.#passed = passed;
      this.#passedKind = passedKind;
    }
  }

  /** Pins each path among the arguments in place; { text, rule, agent } for the first that is protected, else null. */
  #checkArguments(roles, args, checked) {
    for (let i = 0; i < roles.length && i < args.length; i++) {
      const role = roles[i];
      if (role === '-') continue;
      if (role === 'glob') return this.#checkGlob(args);
      const { text, value } = this.#guard.pin(args[i]);
      args[i] = value;
      if (text === null) continue;
      const kind = this.#kindOf(role, args, i);
      if (i === 0) checked.kind = kind;
      if (text === this.#passed && kind <= this.#passedKind) continue;
      const found = this.#checkRole(role, text, kind, args);
      if (found !== null) return { text, rule: found.rule, agent: found.agent };
    }
    return null;
  }

  #kindOf(role, args, index) {
    if (role === 'open') return kindOfFlags(args[index + 1]);
    if (role === 'flag') return kindOfFlags(pinOptions(args, index + 1)?.flag);
    return KINDS[role] ?? READ;
  }

  #checkRole(role, text, kind, args) {
    switch (role) {
      case 'tree': case 'into': return this.#guard.checkTree(text, kind);
      case 'copy': return this.#checkCopy(text, args);
      case 'target': return this.#checkTarget(text, args);
      default: return this.#guard.check(text, kind);
    }
  }

  #checkCopy(from, args) {
    const to = this.#guard.pin(args[1]);
    args[1] = to.value;
    return this.#guard.checkCopy(from, to.text, Boolean(pinOptions(args, 2)?.dereference));
  }

  #checkTarget(target, args) {
    const link = this.#guard.pin(args[1]);
    args[1] = link.value;
    if (link.text === null) return null;
    return this.#guard.check(target, CHANGE) ?? this.#guard.check(resolve(dirname(link.text), target), CHANGE);
  }

  /** Names are all that a pattern yields; what is checked is where it starts and what it spells out. */
  #checkGlob(args) {
    const options = pinOptions(args, 1);
    let directory = null;
    if (options !== undefined) {
      const { text, value } = this.#guard.pin(options.cwd);
      if (text !== null) {
        options.cwd = value;
        directory = text;
        const found = this.#guard.check(directory, READ);
        if (found !== null) return { text: directory, rule: found.rule, agent: found.agent };
      }
    }
    const list = p.isArray(args[0]) ? args[0] : [args[0]];
    for (let i = 0; i < list.length; i++) {
      if (typeof list[i] !== 'string') continue;
      const found = this.#guard.check(directory === null ? list[i] : resolve(directory, list[i]), READ);
      if (found !== null) return { text: list[i], rule: found.rule, agent: found.agent };
    }
    return null;
  }
}

/** Callers may rely on name, length and custom symbols of the original. */
function dress(wrapper, original) {
  const keys = p.ownKeys(original);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    if (key === 'prototype' || key === 'caller' || key === 'arguments') continue;
    p.defineProperty(wrapper, key, p.getOwnPropertyDescriptor(original, key));
  }
  return wrapper;
}

function deliver(delivery, error, args) {
  if (delivery === 'reject') return p.reject(error);
  if (delivery === 'false') return false;
  const callback = args[args.length - 1];
  if (delivery === 'throw' || typeof callback !== 'function') throw error;
  p.apply(p.nextTick, process, [callback, delivery === 'callback-false' ? false : error]);
  return undefined;
}

module.exports = { Patcher, dress };
