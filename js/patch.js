'use strict';
// Applies methods.js. A patched function first asks whether a tool is running; where none is, it is one call more.

const fs = require('node:fs');
const p = require('./primordials.js');
const { refusal } = require('./guard.js');
const { FS, DELIVERY, DOORS, CLASSES, REFUSED } = require('./methods.js');
const { resolve, dirname } = require('node:path');

// What process.binding would hand out of node's inside.
const RAW_BINDINGS = ['fs', 'fs_dir', 'fs_event_wrap', 'process_wrap', 'spawn_sync', 'inspector', 'wasi', 'contextify', 'heap_utils'];
const SIGUSR1 = require('node:os').constants.signals.SIGUSR1;

const CONDITIONS = {
  rawBinding: (args) => {
    for (let i = 0; i < RAW_BINDINGS.length; i++) if (`${args[0]}` === RAW_BINDINGS[i]) return true;
    return false;
  },
  debuggerSignal: (args) => +args[1] === SIGUSR1,
  fileStatement: (args) => {
    const sql = p.lower(`${args[0]}`);
    return p.indexOf(sql, 'attach') !== -1 || (p.indexOf(sql, 'vacuum') !== -1 && p.indexOf(sql, 'into') !== -1);
  },
};

class Patcher {
  #guard;
  #inTool;

  constructor(guard, inTool) {
    this.#guard = guard;
    this.#inTool = inTool;
  }

  /** fs and fs.promises. */
  patchFs() {
    for (const [name, roles] of Object.entries(FS)) {
      this.#patchForm(fs, name, roles, DELIVERY[name] ?? 'callback');
      this.#patchForm(fs, `${name}Sync`, roles, DELIVERY[`${name}Sync`] ?? 'throw');
      this.#patchForm(fs.promises, name, roles, DELIVERY[`promises.${name}`] ?? 'reject');
    }
    for (const name of ['realpath', 'realpathSync']) {
      const own = fs[name];
      const native = this.#wrap('realpath', own.native, FS.realpath, name === 'realpath' ? 'callback' : 'throw');
      p.defineProperty(own, 'native', { value: native, writable: true, configurable: true, enumerable: true });
    }
  }

  #patchForm(owner, name, roles, delivery) {
    if (typeof owner[name] === 'function') owner[name] = this.#wrap(name, owner[name], roles, delivery);
  }

  /** The rest of methods.js for one module: `load` brings it only where it is needed. */
  patchModule(name, object) {
    for (const [module, property, roles, missing] of DOORS) {
      if (module !== name || typeof object[property] !== 'function') continue;
      object[property] = this.#wrap(property, object[property], roles, 'throw', missing);
    }
    for (const [module, property, reason, when] of REFUSED) {
      if (module === name) this.#refuse(object, property, reason, CONDITIONS[when]);
    }
    for (const [module, property, role] of CLASSES) {
      if (module === name && typeof object[property] === 'function') this.#patchClass(object, property, role);
    }
  }

  #wrap(call, original, roles, delivery, missing) {
    const [guard, inTool, check] = [this.#guard, this.#inTool, (args) => this.#checkArguments(roles, args, missing)];
    const wrapper = function (...args) {
      if (!inTool()) return p.apply(original, this, args);
      const denied = check(args);
      if (denied === null) return p.apply(original, this, args);
      return deliver(delivery, guard.denial(call, denied.text, denied.rule), args);
    };
    return dress(wrapper, original);
  }

  /** Pins each path among the arguments in place; { text, rule } for the first that is protected, else null. */
  #checkArguments(roles, args, missing) {
    if (missing !== undefined && args.length === 0) args[0] = missing;
    for (let i = 0; i < roles.length && i < args.length; i++) {
      const role = roles[i];
      if (role === '-') continue;
      if (role === 'glob') return this.#checkGlob(args);
      const { text, value } = this.#guard.pin(args[i]);
      args[i] = value;
      if (text === null) continue;
      const rule = role === 'target' ? this.#checkTarget(text, args) : this.#checkRole(role, text);
      if (rule !== null) return { text, rule };
    }
    return null;
  }

  #checkRole(role, text) {
    if (role === 'tree') return this.#guard.checkTree(text);
    return role === 'copy' ? this.#guard.checkCopy(text) : this.#guard.check(text);
  }

  #checkTarget(target, args) {
    const link = this.#guard.pin(args[1]);
    args[1] = link.value;
    if (link.text === null) return null;
    return this.#guard.check(target) ?? this.#guard.check(resolve(dirname(link.text), target));
  }

  /** Names are all that a pattern yields; what is checked is where it starts and what it spells out. */
  #checkGlob(args) {
    const patterns = args[0];
    const options = args[1];
    let directory = null;
    if (options !== null && typeof options === 'object') {
      const copy = p.assign(p.create(null), options);
      const pinned = this.#guard.pin(copy.cwd);
      if (pinned.text !== null) {
        copy.cwd = pinned.value;
        directory = pinned.text;
        const rule = this.#guard.check(directory);
        if (rule !== null) return { text: directory, rule };
      }
      args[1] = copy;
    }
    const list = p.isArray(patterns) ? patterns : [patterns];
    for (let i = 0; i < list.length; i++) {
      if (typeof list[i] !== 'string') continue;
      const rule = this.#guard.check(directory === null ? list[i] : resolve(directory, list[i]));
      if (rule !== null) return { text: list[i], rule };
    }
    return null;
  }

  #refuse(object, property, reason, condition) {
    const steps = property.split('.');
    const name = steps.pop();
    let owner = object;
    for (const step of steps) owner = owner?.[step];
    const original = owner?.[name];
    if (typeof original !== 'function') return;
    const inTool = this.#inTool;
    const wrapper = function (...args) {
      if (inTool()) {
        for (let i = 0; i < args.length; i++) if (typeof args[i] === 'object' && args[i] !== null) args[i] = pinText(args[i]);
        if (condition === undefined || condition(args)) {
          throw refusal(property, null, `${property} (agentbox: refused to tools, because ${reason}. Hint: do it in a child process)`);
        }
      }
      return p.apply(original, this, args);
    };
    p.defineProperty(owner, name, { value: dress(wrapper, original), writable: true, configurable: true });
  }

  #patchClass(object, name, role) {
    const [guard, inTool] = [this.#guard, this.#inTool];
    const Original = object[name];
    const Patched = new Proxy(Original, {
      construct(target, args, newTarget) {
        if (inTool()) {
          const denied = role === 'database' ? checkDatabase(guard, args) : checkPreopens(args);
          if (denied !== null) throw denied;
        }
        return p.construct(target, args, newTarget === Patched ? target : newTarget);
      },
    });
    // Otherwise (new X()).constructor is the way back.
    p.defineProperty(Original.prototype, 'constructor', { value: Patched, writable: true, configurable: true });
    p.defineProperty(object, name, { value: Patched, writable: true, configurable: true, enumerable: true });
  }
}

const pinText = (value) => (p.isView(value) ? value : `${value}`);

/** Callers may rely on name, length and custom symbols of the original. */
function dress(wrapper, original) {
  for (const key of p.ownKeys(original)) {
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

/** SQLite takes a path, ':memory:', or a file: URI with a query, in which any character may be %-encoded. */
function checkDatabase(guard, args) {
  const { text, value } = guard.pin(args[0]);
  args[0] = value;
  if (text === null || text === ':memory:' || text === '') return null;
  let file = text;
  if (p.startsWith(p.lower(text), 'file:')) {
    const query = p.indexOf(text, '?');
    try {
      file = decodeUri(p.slice(text, 5, query === -1 ? undefined : query));
    } catch {
      return refusal('DatabaseSync', text, `DatabaseSync '${text}' (agentbox: not a file URI that can be checked)`);
    }
    while (p.startsWith(file, '//')) file = p.slice(file, 1);
  }
  const rule = guard.check(file);
  return rule === null ? null : guard.denial('DatabaseSync', file, rule);
}

const decodeUri = decodeURIComponent;

function checkPreopens(args) {
  const preopens = args[0]?.preopens;
  if (preopens === undefined || p.ownKeys(preopens).length === 0) return null;
  return refusal('WASI', null, 'WASI preopens (agentbox: refused to tools, because WASI opens files past every check. Hint: do it in a child process)');
}

module.exports = { Patcher };
