'use strict';
// The rules of the in-process guard: reading /etc/agentbox/firewall.json, and matching one path against it.
// Matching is lexical and works on absolute, normalized paths; guard.js decides which spellings of a path to ask about.

const fs = require('node:fs');
const { isArray, freeze, create, indexOf, slice, startsWith, endsWith, charCode } = require('./primordials.js');

const POLICY_FILE = '/etc/agentbox/firewall.json';
const SLASH = 47;

class PolicyError extends Error {}

function strings(object, key) {
  const list = object[key];
  if (!isArray(list)) throw new PolicyError(`"${key}" is not a list`);
  for (const item of list) {
    if (typeof item !== 'string' || item === '' || item.includes('\0')) {
      throw new PolicyError(`"${key}" holds ${JSON.stringify(item)}, which is not a path or name`);
    }
  }
  return list;
}

/** One component pattern; `*` stands at the start, the end, or both. */
function parseComponent(text, entry) {
  const head = text.startsWith('*');
  const tail = text.length > 1 && text.endsWith('*');
  const literal = text.slice(head ? 1 : 0, tail ? -1 : undefined);
  if (literal === '' || literal.includes('*') || literal === '.' || literal === '..') {
    throw new PolicyError(`"deny" holds ${JSON.stringify(entry)}: a name may have * only at its start or end`);
  }
  return freeze({ literal, head, tail });
}

function parseDeny(entry) {
  if (entry.startsWith('/')) throw new PolicyError(`"deny" holds ${JSON.stringify(entry)}: absolute paths belong in "paths"`);
  const parts = entry.split('/').filter((part) => part !== '').map((part) => parseComponent(part, entry));
  if (parts.length === 0) throw new PolicyError(`"deny" holds ${JSON.stringify(entry)}, which names nothing`);
  return freeze({ entry, parts: freeze(parts) });
}

/** A validated, frozen policy from the decoded JSON; throws PolicyError with one clear line. */
function parsePolicy(object) {
  if (object === null || typeof object !== 'object') throw new PolicyError('not a JSON object');
  if (object.version !== 1) throw new PolicyError(`version ${JSON.stringify(object.version)} where 1 is known`);
  if (typeof object.agent !== 'string' || object.agent === '') throw new PolicyError('"agent" is not a name');
  const paths = strings(object, 'paths').map((path) => {
    if (!path.startsWith('/')) throw new PolicyError(`"paths" holds ${JSON.stringify(path)}, which is not absolute`);
    const normal = path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
    if (normal === '/' || normal.split('/').some((part) => part === '.' || part === '..')) {
      throw new PolicyError(`"paths" holds ${JSON.stringify(path)}; write it without . and .. and below /`);
    }
    return normal;
  });
  const deny = strings(object, 'deny').map(parseDeny);
  if (deny.length + paths.length === 0) throw new PolicyError('it protects nothing');
  return freeze({ agent: object.agent, deny: freeze(deny), paths: freeze(paths) });
}

/** The decoded object of the policy file; parsePolicy judges it. */
function loadPolicy(file = POLICY_FILE) {
  let text;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new PolicyError(error.code === 'ENOENT' ? 'no such file' : error.message);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new PolicyError(`not JSON: ${error.message}`);
  }
}

function components(path) {
  const list = create(null);
  let count = 0;
  let start = 0;
  for (let i = 0; i <= path.length; i++) {
    if (i < path.length && charCode(path, i) !== SLASH) continue;
    if (i > start) list[count++] = slice(path, start, i);
    start = i + 1;
  }
  list.length = count;
  return list;
}

function matchesComponent(pattern, name) {
  const { literal, head, tail } = pattern;
  if (head && tail) return indexOf(name, literal) !== -1;
  if (head) return endsWith(name, literal);
  if (tail) return startsWith(name, literal);
  return name === literal;
}

function matchesParts(parts, names) {
  for (let at = 0; at + parts.length <= names.length; at++) {
    let k = 0;
    while (k < parts.length && matchesComponent(parts[k], names[at + k])) k++;
    if (k === parts.length) return true;
  }
  return false;
}

const isBelow = (path, tree) => path === tree || startsWith(path, tree === '/' ? '/' : `${tree}/`);

const allDigits = (text) => {
  for (let i = 0; i < text.length; i++) {
    const c = charCode(text, i);
    if (c < 48 || c > 57) return false;
  }
  return text.length > 0;
};

/** /proc/<pid>/environ and mem hold the agent's keys, whatever the policy names. */
function isProcessMemory(names) {
  if (names.length < 3 || names[0] !== 'proc') return false;
  const last = names[names.length - 1];
  if (last !== 'environ' && last !== 'mem') return false;
  return names[1] === 'self' || names[1] === 'thread-self' || allDigits(names[1]);
}

/** The rule that protects an absolute, normalized path, as text for a message; null where there is none. */
function matchPath(policy, protectedPaths, path) {
  for (let i = 0; i < protectedPaths.length; i++) {
    if (isBelow(path, protectedPaths[i])) return `path ${protectedPaths[i]}`;
  }
  const names = components(path);
  for (let i = 0; i < policy.deny.length; i++) {
    if (matchesParts(policy.deny[i].parts, names)) return `name ${policy.deny[i].entry}`;
  }
  return isProcessMemory(names) ? 'memory and environment of processes' : null;
}

module.exports = { POLICY_FILE, PolicyError, parsePolicy, loadPolicy, matchPath, isBelow };
