'use strict';
// What is patched, as data; patch.js and doors.js do it. A test compares this table and unguarded.js with what the
// running node has, so that a function of a new release is noticed.

// Roles of arguments:
//   read     may not be denied             change   nor kept from changes
//   entry    nor a name beside such        tree     nor may anything of the kind lie below (moved or removed as a whole)
//   copy     read, and all that it holds   into     change, and nothing protected below
//   target   a symlink's text, relative to the link's directory
//   open     as the flags say, which are the next argument
//   flag     as the options' flag says, which are the next argument
//   glob     a pattern or a list of them   '-'      no path
// Each row stands for all forms of a function: fs.NAME with a callback, fs.NAMESync, fs.promises.NAME.
const FS = {
  access: ['read'],
  appendFile: ['change'],
  chmod: ['change'],
  chown: ['change'],
  copyFile: ['read', 'change'],
  cp: ['copy', 'into'],
  exists: ['read'],
  glob: ['glob'],
  lchmod: ['change'],
  lchown: ['change'],
  link: ['change', 'entry'],
  lstat: ['read'],
  lutimes: ['change'],
  mkdir: ['change'],
  mkdtemp: ['entry'],
  mkdtempDisposable: ['entry'],
  open: ['open'],
  openAsBlob: ['read'],
  opendir: ['read'],
  readFile: ['flag'],
  readdir: ['read'],
  readlink: ['read'],
  realpath: ['read'],
  rename: ['tree', 'tree'],
  rm: ['tree'],
  rmdir: ['tree'],
  stat: ['read'],
  statfs: ['read'],
  symlink: ['target', 'entry'],
  truncate: ['change'],
  unlink: ['entry'],
  unwatchFile: ['read'],
  utimes: ['change'],
  watch: ['read'],
  watchFile: ['read'],
  writeFile: ['change'],
};

// What node's own EACCES calls it, where that is not the name.
const SYSCALL = {
  appendFile: 'open', copyFile: 'copyfile', exists: 'access', glob: 'scandir', lutimes: 'lutime', mkdtempDisposable: 'mkdtemp',
  openAsBlob: 'open', readFile: 'open', readdir: 'scandir', truncate: 'open', unwatchFile: 'watch', utimes: 'utime',
  watchFile: 'watch', writeFile: 'open', loadEnvFile: 'open',
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

// Further doors into files: [module, property, roles, default for a missing first argument].
const DOORS = [
  ['process', 'loadEnvFile', ['read'], '.env'],
  ['process', 'chdir', ['read']],
  ['sqlite', 'backup', ['-', 'change']],
];

// Classes: [module, name, role of the first argument].
const CLASSES = [
  ['sqlite', 'DatabaseSync', 'database'],
  ['wasi', 'WASI', 'preopens'],
];

const RAW = "node's internals open files past every check";
const DEBUGGER = 'a debugger runs code as the agent';
const MEMORY = "it holds the agent's memory";
const SQL = 'ATTACH and VACUUM INTO name files inside SQL';
const NATIVE = 'native code opens files past every check';
const HOOK = 'its hooks run code as the agent';

// What a tool may not call, with the reason that the message gives. `when` names a condition of doors.js.
const REFUSED = [
  ['process', 'binding', RAW, 'rawBinding'],
  ['process', '_linkedBinding', RAW],
  ['process', 'dlopen', NATIVE],
  ['process', 'execve', 'it would replace the agent'],
  ['process', '_kill', 'SIGUSR1 opens a debugger in a node process', 'debuggerSignal'],
  ['process', '_debugProcess', DEBUGGER],
  ['process.report', 'getReport', "it holds the agent's environment"],
  ['process.report', 'writeReport', "it holds the agent's environment"],
  ['async_hooks', 'createHook', HOOK],
  ['module', 'register', 'its hooks run in a thread without this guard'],
  ['module', 'registerHooks', HOOK],
  ['module', 'enableCompileCache', 'it would run code from a directory that tools can write'],
  ['v8', 'getHeapSnapshot', MEMORY],
  ['v8', 'writeHeapSnapshot', MEMORY],
  ['v8', 'setHeapSnapshotNearHeapLimit', MEMORY],
  ['v8', 'setHeapProfileNearHeapLimit', MEMORY],
  ['v8', 'startHeapProfile', MEMORY],
  ['v8', 'queryObjects', MEMORY],
  ['v8', 'setFlagsFromString', 'it changes the engine that the agent runs on'],
  ['v8', 'promiseHooks.onInit', HOOK],
  ['v8', 'promiseHooks.onBefore', HOOK],
  ['v8', 'promiseHooks.onAfter', HOOK],
  ['v8', 'promiseHooks.onSettled', HOOK],
  ['v8', 'promiseHooks.createHook', HOOK],
  ['inspector', 'open', DEBUGGER],
  ['inspector', 'Session.prototype.connect', DEBUGGER],
  ['inspector', 'Session.prototype.connectToMainThread', DEBUGGER],
  ['sqlite', 'DatabaseSync.prototype.exec', SQL, 'fileStatement'],
  ['sqlite', 'DatabaseSync.prototype.prepare', SQL, 'fileStatement'],
  ['sqlite', 'DatabaseSync.prototype.createTagStore', SQL],
  ['sqlite', 'DatabaseSync.prototype.loadExtension', NATIVE],
  ['ffi', '*', NATIVE],
];

module.exports = { FS, SYSCALL, DELIVERY, DOORS, CLASSES, REFUSED };
