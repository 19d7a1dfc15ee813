'use strict';
// What the arguments of a patched function name, by their roles in methods.js. Loaded when the first tool runs.

const { constants: { O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND } } = require('node:fs');
const p = require('./primordials.js');
const { READ, CHANGE, ENTRY } = require('./rules.js');

const { resolve, dirname } = p.original;
const KINDS = p.freeze({ __proto__: null, read: READ, change: CHANGE, into: CHANGE, entry: ENTRY, tree: ENTRY });
const WRITING = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND;

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

/** Pins each path among the arguments in place; { text, rule, agent, audit } for the first that is protected, else null. */
function checkArguments(guard, roles, args, checked) {
  const passed = p.assign(p.create(null), checked);
  checked.kind = READ;
  for (let i = 0; i < roles.length && i < args.length; i++) {
    const role = roles[i];
    if (role === '-') continue;
    if (role === 'glob') return checkGlob(guard, args);
    const { text, value } = guard.pin(args[i]);
    args[i] = value;
    if (text === null) continue;
    const kind = kindOf(role, args, i);
    if (i === 0) checked.kind = kind;
    if (text === passed.text && kind <= passed.kind) continue;
    const found = checkRole(guard, role, text, kind, args);
    if (found !== null) return { text, rule: found.rule, agent: found.agent, audit: found.audit };
  }
  return null;
}

function kindOf(role, args, index) {
  if (role === 'open') return kindOfFlags(args[index + 1]);
  if (role === 'flag') return kindOfFlags(pinOptions(args, index + 1)?.flag);
  return KINDS[role] ?? READ;
}

function checkRole(guard, role, text, kind, args) {
  switch (role) {
    case 'tree': case 'into': return guard.checkTree(text, kind);
    case 'copy': return checkCopy(guard, text, args);
    case 'target': return checkTarget(guard, text, args);
    default: return guard.check(text, kind);
  }
}

function checkCopy(guard, from, args) {
  const to = guard.pin(args[1]);
  args[1] = to.value;
  return guard.checkCopy(from, to.text, Boolean(pinOptions(args, 2)?.dereference));
}

function checkTarget(guard, target, args) {
  const link = guard.pin(args[1]);
  args[1] = link.value;
  if (link.text === null) return null;
  return guard.check(target, CHANGE) ?? guard.check(resolve(dirname(link.text), target), CHANGE);
}

/** Names are all that a pattern yields; what is checked is where it starts and what it spells out. */
function checkGlob(guard, args) {
  const options = pinOptions(args, 1);
  let directory = null;
  if (options !== undefined) {
    const { text, value } = guard.pin(options.cwd);
    if (text !== null) {
      options.cwd = value;
      directory = text;
      const found = guard.check(directory, READ);
      if (found !== null) return { text: directory, rule: found.rule, agent: found.agent, audit: found.audit };
    }
  }
  const list = p.isArray(args[0]) ? args[0] : [args[0]];
  for (let i = 0; i < list.length; i++) {
    if (typeof list[i] !== 'string') continue;
    const found = guard.check(directory === null ? list[i] : resolve(directory, list[i]), READ);
    if (found !== null) return { text: list[i], rule: found.rule, agent: found.agent, audit: found.audit };
  }
  return null;
}

module.exports = { checkArguments };
