'use strict';
// Reading and judging /etc/agentbox/firewall.json (format: docs/internals.md). rules.js matches paths against it.

const { readFileSync } = require('node:fs');
const { isArray, freeze } = require('./primordials.js');

const POLICY_FILE = '/etc/agentbox/firewall.json';
const VERSION = 2;
const NORMAL = /^(?:\/(?!\.\.?(?:\/|$))[^/\0]+)+$/;

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

function parseName(entry) {
  if (entry.startsWith('/')) throw new PolicyError(`"deny" holds ${JSON.stringify(entry)}: absolute paths belong in "paths"`);
  const parts = entry.split('/').filter((part) => part !== '').map((part) => parseComponent(part, entry));
  if (parts.length === 0) throw new PolicyError(`"deny" holds ${JSON.stringify(entry)}, which names nothing`);
  return freeze({ text: `name ${entry}`, readable: false, parts: freeze(parts) });
}

function parsePath(path, key) {
  if (typeof path === 'string' && NORMAL.test(path)) return path;
  if (typeof path !== 'string' || !path.startsWith('/')) throw new PolicyError(`"${key}" holds ${JSON.stringify(path)}, which is not absolute`);
  const normal = path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
  if (normal === '/' || normal.split('/').some((part) => part === '.' || part === '..')) {
    throw new PolicyError(`"${key}" holds ${JSON.stringify(path)}; write it without . and .. and below /`);
  }
  return normal;
}

const parsePaths = (object, key) => freeze(strings(object, key).map((path) => parsePath(path, key)));

/** A validated, frozen policy from the decoded JSON; throws PolicyError with one clear line. */
function parsePolicy(object) {
  if (object === null || typeof object !== 'object') throw new PolicyError('not a JSON object');
  if (object.version !== VERSION) throw new PolicyError(`version ${JSON.stringify(object.version)} where ${VERSION} is known`);
  if (typeof object.agent !== 'string' || object.agent === '') throw new PolicyError('"agent" is not a name');
  const policy = {
    agent: object.agent,
    audit: object.audit === undefined ? null : parsePath(object.audit, 'audit'),
    tree: parsePath(object.tree, 'tree'),
    deny: freeze(strings(object, 'deny').map(parseName)),
    paths: parsePaths(object, 'paths'),
    read: parsePaths(object, 'read'),
    write: parsePaths(object, 'write'),
    frames: parsePaths(object, 'frames'),
  };
  if (policy.deny.length + policy.paths.length === 0) throw new PolicyError('it protects nothing');
  return freeze(policy);
}

/** The decoded object of the policy file; parsePolicy judges it. */
function loadPolicy(file = POLICY_FILE) {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new PolicyError(error.code === 'ENOENT' ? 'no such file' : error.message);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new PolicyError(`not JSON: ${error.message}`);
  }
}

module.exports = { POLICY_FILE, VERSION, PolicyError, parsePolicy, loadPolicy };
