'use strict';
// What is patched, as data; patch.js does it. A test compares FS and UNPATHED with Object.keys(fs) and fs.promises of
// the running node, so that a function of a new release is noticed.

// Roles of arguments:
//   path    may not be protected          tree    nor may anything below it (moved or removed as a whole)
//   copy    as tree, and what it holds    target  a symlink's text, relative to the link's directory
//   glob    a pattern or a list of them   '-'     no path
// Each row stands for all forms of a function: fs.NAME with a callback, fs.NAMESync, fs.promises.NAME.
const FS = {
  access: ['path'],
  appendFile: ['path'],
  chmod: ['path'],
  chown: ['path'],
  copyFile: ['path', 'path'],
  cp: ['copy', 'path'],
  exists: ['path'],
  glob: ['glob'],
  lchmod: ['path'],
  lchown: ['path'],
  link: ['path', 'path'],
  lstat: ['path'],
  lutimes: ['path'],
  mkdir: ['path'],
  mkdtemp: ['path'],
  mkdtempDisposable: ['path'],
  open: ['path'],
  openAsBlob: ['path'],
  opendir: ['path'],
  readFile: ['path'],
  readdir: ['path'],
  readlink: ['path'],
  realpath: ['path'],
  rename: ['tree', 'tree'],
  rm: ['tree'],
  rmdir: ['tree'],
  stat: ['path'],
  statfs: ['path'],
  symlink: ['target', 'path'],
  truncate: ['path'],
  unlink: ['path'],
  unwatchFile: ['path'],
  utimes: ['path'],
  watch: ['path'],
  watchFile: ['path'],
  writeFile: ['path'],
};

// How a denial is delivered where the name does not tell (Sync: throw; fs.promises: reject; else: callback).
const DELIVERY = {
  openAsBlob: 'reject',
  unwatchFile: 'throw',
  watch: 'throw',
  watchFile: 'throw',
  exists: 'callback-false',
  existsSync: 'false',
  'promises.glob': 'throw',
  'promises.watch': 'throw',
};

// Not patched, and why.
const DESCRIPTOR = 'takes a descriptor; opening it was checked';
const OPENS = 'opens through fs.open, which is patched';
const UNPATHED = {
  close: DESCRIPTOR, fchmod: DESCRIPTOR, fchown: DESCRIPTOR, fdatasync: DESCRIPTOR, fstat: DESCRIPTOR, fsync: DESCRIPTOR,
  ftruncate: DESCRIPTOR, futimes: DESCRIPTOR, read: DESCRIPTOR, readv: DESCRIPTOR, write: DESCRIPTOR, writev: DESCRIPTOR,
  createReadStream: OPENS, createWriteStream: OPENS, ReadStream: OPENS, WriteStream: OPENS, FileReadStream: OPENS, FileWriteStream: OPENS, Utf8Stream: OPENS,
  Dir: 'made from a handle of opendir', Dirent: 'data', Stats: 'data', _toUnixTimestamp: 'arithmetic', constants: 'data',
  F_OK: 'data', R_OK: 'data', W_OK: 'data', X_OK: 'data', promises: 'its functions are patched one by one',
};

// Further doors into files: [module, property path, roles, default for a missing first argument].
const DOORS = [
  ['process', 'loadEnvFile', ['path'], '.env'],
  ['process', 'chdir', ['path']],
  ['sqlite', 'backup', ['-', 'path']],
];

// Classes: [module, name, role of the first argument].
const CLASSES = [
  ['sqlite', 'DatabaseSync', 'database'],
  ['wasi', 'WASI', 'preopens'],
];

// What a tool may not call, with the reason that the message gives: each would show the agent's memory, open files out
// of sight, or run code outside the tool context. `when` names a condition of patch.js.
const REFUSED = [
  ['process', 'binding', "node's internals open files past every check", 'rawBinding'],
  ['process', '_linkedBinding', "node's internals open files past every check"],
  ['process', '_kill', 'SIGUSR1 opens a debugger in a node process', 'debuggerSignal'],
  ['process', '_debugProcess', 'it opens a debugger in a node process'],
  ['process.report', 'getReport', "it holds the agent's environment"],
  ['process.report', 'writeReport', "it holds the agent's environment"],
  ['v8', 'getHeapSnapshot', "it holds the agent's memory"],
  ['v8', 'writeHeapSnapshot', "it holds the agent's memory"],
  ['v8', 'setHeapSnapshotNearHeapLimit', "it holds the agent's memory"],
  ['module', 'register', 'its hooks run in a thread without this guard'],
  ['inspector', 'open', 'a debugger runs code as the agent'],
  ['inspector', 'Session.prototype.connect', 'a debugger runs code as the agent'],
  ['inspector', 'Session.prototype.connectToMainThread', 'a debugger runs code as the agent'],
  ['sqlite', 'DatabaseSync.prototype.exec', 'ATTACH and VACUUM INTO name files inside SQL', 'fileStatement'],
  ['sqlite', 'DatabaseSync.prototype.prepare', 'ATTACH and VACUUM INTO name files inside SQL', 'fileStatement'],
];

module.exports = { FS, DELIVERY, UNPATHED, DOORS, CLASSES, REFUSED };
