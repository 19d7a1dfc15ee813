'use strict';
// Matching a path against one policy. Matching is lexical and works on absolute, normalized paths; guard.js decides
// which spellings of a path to ask about. Loaded when the first tool runs.

const p = require('./primordials.js');

const SLASH = 47;
const MEMORY = p.freeze({ text: 'memory and environment of processes', readable: false });

// What a call does to a path. Each includes the one before it.
const READ = 0; // opens it for reading, or asks about it
const CHANGE = 1; // changes what is there, or makes it
const ENTRY = 2; // makes, moves or removes the name itself

function components(path) {
  const list = p.create(null);
  let count = 0;
  let start = 0;
  for (let i = 0; i <= path.length; i++) {
    if (i < path.length && p.charCode(path, i) !== SLASH) continue;
    if (i > start) list[count++] = p.slice(path, start, i);
    start = i + 1;
  }
  list.length = count;
  return list;
}

function matchesComponent(pattern, name) {
  const { literal, head, tail } = pattern;
  if (head && tail) return p.indexOf(name, literal) !== -1;
  if (head) return p.endsWith(name, literal);
  if (tail) return p.startsWith(name, literal);
  return name === literal;
}

function matchesParts(parts, path) {
  if (p.indexOf(path, parts[0].literal) === -1) return false; // nearly always
  const names = components(path);
  for (let at = 0; at + parts.length <= names.length; at++) {
    let k = 0;
    while (k < parts.length && matchesComponent(parts[k], names[at + k])) k++;
    if (k === parts.length) return true;
  }
  return false;
}

const isBelow = (path, tree) => path === tree || p.startsWith(path, tree === '/' ? '/' : `${tree}/`);

const allDigits = (text) => {
  for (let i = 0; i < text.length; i++) {
    const c = p.charCode(text, i);
    if (c < 48 || c > 57) return false;
  }
  return text.length > 0;
};

/** /proc/<pid>/environ and mem hold the agent's keys, whatever the policy names. */
function isProcessMemory(path) {
  if (!p.startsWith(path, '/proc/')) return false;
  const names = components(path);
  const last = names[names.length - 1];
  if (names.length < 3 || (last !== 'environ' && last !== 'mem')) return false;
  return names[1] === 'self' || names[1] === 'thread-self' || allDigits(names[1]);
}

const firstComponent = (path) => {
  const end = p.indexOf(path, '/', 1);
  return end === -1 ? path : p.slice(path, 0, end);
};

/** The paths of a policy and where they really lie, as one list: the longest comes first, and so does the stricter of equals. */
function listRights(policy, canonical) {
  const list = [];
  const add = (path, right) => {
    for (const spelling of new Set([path, canonical(path)])) {
      const rule = right === 'write' ? null : p.freeze({ text: `path ${path}`, readable: right === 'read' });
      list.push(p.freeze({ path: spelling, prefix: `${spelling}/`, rule }));
    }
  };
  for (const path of policy.paths) add(path, 'deny');
  for (const path of policy.read) add(path, 'read');
  for (const path of policy.write) add(path, 'write');
  return list.sort((a, b) => b.path.length - a.path.length); // stable: deny, read, write among equals
}

/** Directories on the way to a listed path, within the tree: as in the vault, no name is made or removed in them. */
function waysTo(rights, tree) {
  const ways = p.create(null);
  for (const { path, rule } of rights) {
    if (rule === null) continue;
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const directory = path.slice(0, end);
      if (isBelow(directory, tree)) ways[directory] = p.freeze({ text: `directory ${directory}`, readable: true, shut: true });
    }
  }
  return p.freeze(ways);
}

class Rules {
  #names;
  #rights;
  #tops;
  #ways;

  /** `canonical` says where a path really leads. Runs before a tool does, so ordinary array methods are good enough. */
  constructor(policy, canonical) {
    const rights = listRights(policy, canonical);
    this.#names = policy.deny;
    this.#ways = waysTo(rights, canonical(policy.tree));
    this.#rights = p.freeze(rights);
    this.#tops = p.freeze([...new Set(rights.map((right) => firstComponent(right.path)))]);
    p.freeze(this);
  }

  get listed() { return this.#rights; }

  #isFar(path) {
    for (let i = 0; i < this.#tops.length; i++) if (p.startsWith(path, this.#tops[i])) return false;
    return true;
  }

  /** The rule that keeps a tool from doing `kind` to `path`; null where there is none. */
  judge(path, kind) {
    for (let i = 0; i < this.#names.length; i++) {
      if (matchesParts(this.#names[i].parts, path)) return this.#names[i];
    }
    const right = this.#isFar(path) ? null : this.#longest(path);
    if (right !== null && right.rule !== null && (kind !== READ || !right.rule.readable)) return right.rule;
    return isProcessMemory(path) ? MEMORY : null;
  }

  #longest(path) {
    for (let i = 0; i < this.#rights.length; i++) {
      if (path === this.#rights[i].path || p.startsWith(path, this.#rights[i].prefix)) return this.#rights[i];
    }
    return null;
  }

  /** The rule by which `path`, a name in `directory`, is not made or removed; one that may be written is known by name. */
  judgeEntry(directory, path) {
    const rule = this.#ways[directory] ?? null;
    return rule !== null && this.#longest(path)?.rule === null ? null : rule;
  }

  /** The rule of a listed path below `directory`. */
  judgeBelow(directory) {
    for (let i = 0; i < this.#rights.length; i++) {
      const { path, rule } = this.#rights[i];
      if (rule !== null && isBelow(path, directory)) return rule;
    }
    return null;
  }
}

module.exports = { Rules, READ, CHANGE, ENTRY };
