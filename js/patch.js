'use strict';
// Applies the table of fs functions in methods.js. A patched function first asks whether a tool may be running; where
// none is, it is one call more. doors.js patches the rest.

const fs = require('node:fs');
const p = require('./primordials.js');
const { FS, SYSCALL, DELIVERY } = require('./methods.js');

const { apply } = p;

const PROMISIFY = Symbol.for('nodejs.util.promisify.custom');
const STREAMS = ['createReadStream', 'createWriteStream', 'ReadStream', 'WriteStream', 'FileReadStream', 'FileWriteStream'];

class Patcher {
  #context;
  #guard = null;
  #denial = null;
  #check = null;
  // The path that readFileSync, now running, has checked: it opens with openSync, which is patched too. For it alone, since
  // nothing of the tool's runs between the two; a callback of cpSync's could have something else put at the path.
  #passed = null;
  #passedKind = 0;

  constructor(context) {
    this.#context = context;
  }

  get inTool() { return this.#context.inTool; }
  get runAsTool() { return this.#context.runAsTool; }
  get guard() { return this.#guard; }

  /** The guard comes when the first tool does: until then nothing is checked. */
  arm({ guard, denial, checkArguments }) {
    this.#guard = guard;
    this.#denial = denial;
    this.#check = checkArguments;
  }

  patchFs() {
    const natives = { realpath: fs.realpath.native, realpathSync: fs.realpathSync.native };
    for (const name in FS) {
      const roles = FS[name];
      this.patch(fs, name, roles, DELIVERY[name] ?? 'callback', name);
      this.patch(fs, `${name}Sync`, roles, DELIVERY[`${name}Sync`] ?? 'throw', name);
    }
    for (const name in natives) {
      const native = this.#wrap(natives[name], FS.realpath, name === 'realpath' ? 'callback' : 'throw', 'realpath');
      p.defineProperty(fs[name], 'native', { value: native, writable: true, configurable: true, enumerable: true });
    }
    if (this.#context.byStack) for (const name of STREAMS) fs[name] = this.#enter(fs[name]);
  }

  patchPromises() {
    for (const name in FS) this.patch(fs.promises, name, FS[name], DELIVERY[`promises.${name}`] ?? 'reject', name);
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
    const plan = { roles, delivery, syscall, missing };
    const guarded = (self, args) => this.#guarded(original, self, args, plan);
    // The way of every call where no tool runs: nothing is made or looked up here but the arguments.
    const { name } = original;
    const named = {
      [name](...args) {
        return mayBeTool() ? guarded(this, args) : apply(original, this, args);
      },
    };
    return dress(named[name], original);
  }

  #guarded(original, self, given, { roles, delivery, syscall, missing }) {
    if (this.#guard === null) return p.apply(original, self, given); // still loading it
    const { byStack, inTool } = this.#context;
    // Where the stack decides, the arguments stay as the agent gave them until it is known to be a tool.
    const args = byStack ? p.assign([], given) : given;
    if (missing !== undefined && args.length === 0) args[0] = missing;
    const checked = { text: this.#passed, kind: this.#passedKind };
    const denied = this.#check(this.#guard, roles, args, checked);
    if (denied !== null && inTool()) return deliver(delivery, this.#denial(syscall, denied.text, denied), args);
    if (byStack) return p.apply(original, self, given);
    if (delivery !== 'throw' || roles[0] !== 'flag' || typeof args[0] !== 'string') return p.apply(original, self, args);
    this.#passed = args[0];
    this.#passedKind = checked.kind;
    try {
      return p.apply(original, self, args);
    } finally {
      this.#passed = null;
    }
  }
}

/** Callers may rely on the length of the original, and util.promisify on what fs.exists says of itself. */
function dress(wrapper, original) {
  p.defineProperty(wrapper, 'length', { value: original.length, configurable: true });
  if (original[PROMISIFY] !== undefined) p.defineProperty(wrapper, PROMISIFY, { value: original[PROMISIFY], configurable: true });
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
