'use strict';
// What methods.js leaves alone, and why: module → name → reason. Read by tests only, which compare it, name by name, with
// the running node: a function, class or module that neither table knows is a door that nobody has looked at.

const DESCRIPTOR = 'takes a descriptor; opening it was checked';
const OPENS = 'opens through fs.open, which is patched';
const DATA = 'data';
const NAMES = 'asks about the process, not about files';
const IDENTITY = 'changes whom the process runs as; it has no right to';
const EMITTER = 'of EventEmitter: a listener runs in the context of whoever emits (docs/threat-model.md)';
const INSTANCE = 'of an open handle; opening it was checked';
const LOADER = 'loads through fs.readFileSync and process.dlopen, which are patched, or through the load hook';
const OUTPUT = 'writes to the terminal';
const CONTEXT = 'keeps the context of the tool that calls it';

const all = (reason, names) => Object.fromEntries(names.split(' ').map((name) => [name, reason]));

const UNGUARDED = {
  fs: {
    ...all(DESCRIPTOR, 'close fchmod fchown fdatasync fstat fsync ftruncate futimes read readv write writev'),
    ...all(OPENS, 'createReadStream createWriteStream ReadStream WriteStream FileReadStream FileWriteStream Utf8Stream'),
    ...all(DATA, 'Dirent Stats constants F_OK R_OK W_OK X_OK'),
    Dir: 'made from a handle of opendir', _toUnixTimestamp: 'arithmetic', promises: 'its functions are patched one by one',
  },
  FileHandle: all(INSTANCE, 'constructor getAsyncId fd appendFile chmod chown datasync sync read readv readFile readLines stat truncate '
    + 'utimes write writev writeFile readableWebStream createReadStream createWriteStream close'),
  Dir: all(INSTANCE, 'constructor path read readSync close closeSync entries processReadResult readSyncRecursive'),
  process: {
    ...all(DATA, 'allowedNodeEnvironmentFlags arch argv argv0 config env execArgv execPath exitCode features mainModule pid platform ppid '
      + 'release title version versions debugPort moduleLoadList report sourceMapsEnabled domain _exiting _preload_modules stdin stdout stderr'),
    ...all(NAMES, 'availableMemory constrainedMemory cpuUsage cwd emitWarning getActiveResourcesInfo getegid geteuid getgid getgroups getuid '
      + 'hrtime memoryUsage resourceUsage threadCpuUsage umask uptime hasUncaughtExceptionCaptureCallback'),
    ...all(IDENTITY, 'initgroups setegid seteuid setgid setgroups setuid'),
    ...all(EMITTER, '_events _eventsCount _maxListeners'),
    ...all(OUTPUT, '_rawDebug openStdin'),
    ...all('ends the process or keeps it alive', 'abort exit reallyExit ref unref _fatalException'),
    ...all('shows handles that are open: opening them was checked, or the agent did', '_getActiveHandles _getActiveRequests'),
    ...all('a callback for errors, of which those of the agent carry no secret', 'setUncaughtExceptionCaptureCallback addUncaughtExceptionCaptureCallback'),
    nextTick: CONTEXT, _tickCallback: CONTEXT, finalization: 'its callback gets the object that the tool gave it, at exit (docs/threat-model.md)',
    getBuiltinModule: 'gives the same, patched modules', kill: 'calls process._kill, which is guarded', _debugEnd: 'ends the debugger',
    setSourceMapsEnabled: 'changes what stacks look like', _startProfilerIdleNotifier: 'does nothing', _stopProfilerIdleNotifier: 'does nothing',
  },
  module: {
    ...all(LOADER, 'Module _extensions _load createRequire runMain _preloadModules'),
    ...all('tells where a module is, not what is in it', '_findPath _initPaths _nodeModulePaths _resolveFilename _resolveLookupPaths _stat findPackageJSON isBuiltin'),
    ...all(DATA, '_cache _pathCache builtinModules constants globalPaths wrapper SourceMap findSourceMap getSourceMapsSupport setSourceMapsSupport getCompileCacheDir'),
    ...all('works on text', 'stripTypeScriptTypes wrap _debug'),
    _readPackage: 'reads files called package.json only', flushCompileCache: 'no cache is in use', syncBuiltinESMExports: 'spreads what fs holds, which is patched',
  },
  v8: {
    ...all('works on values of the tool', 'DefaultDeserializer DefaultSerializer Deserializer Serializer deserialize serialize isStringOneByteRepresentation'),
    ...all('numbers', 'GCProfiler cachedDataVersionTag getCppHeapStatistics getHeapCodeStatistics getHeapSpaceStatistics getHeapStatistics startCpuProfile'),
    promiseHooks: 'its functions are refused', startupSnapshot: 'works while a snapshot is built only',
    takeCoverage: 'works where NODE_V8_COVERAGE is set only', stopCoverage: 'works where NODE_V8_COVERAGE is set only',
  },
  inspector: all('works on an open debugger, which tools cannot open', 'Session DOMStorage Network NetworkResources close console url waitForDebugger'),
  sqlite: { StatementSync: 'made by prepare, which is guarded', Session: 'records changes of an open database', constants: DATA },
  wasi: {},
  async_hooks: {
    ...all(CONTEXT, 'AsyncLocalStorage AsyncResource executionAsyncId triggerAsyncId executionAsyncResource'), asyncWrapProviders: DATA,
  },
  worker_threads: {
    ...all('passes messages', 'BroadcastChannel MessageChannel MessagePort moveMessagePortToContext parentPort postMessageToThread receiveMessageOnPort locks'),
    ...all(DATA, 'SHARE_ENV isInternalThread isMainThread isMarkedAsUntransferable markAsUncloneable markAsUntransferable resourceLimits threadId threadName workerData '
      + 'getEnvironmentData setEnvironmentData'),
    Worker: 'replaced by app-firewall.js: it loads the hook',
  },
};

// Modules that come with node. `guarded` ones are in methods.js or above.
const GUARDED_MODULES = 'fs fs/promises process module v8 inspector inspector/promises node:sqlite wasi async_hooks worker_threads node:ffi';
const MODULES = {
  ...all('guarded', GUARDED_MODULES),
  ...all('starts processes: the kernel vault confines them', 'child_process cluster'),
  ...all('no files', '_http_agent _http_client _http_common _http_incoming _http_outgoing _http_server _stream_duplex _stream_passthrough _stream_readable '
    + '_stream_transform _stream_wrap _stream_writable assert assert/strict buffer console constants crypto dgram diagnostics_channel dns dns/promises domain events http '
    + 'https os path path/posix path/win32 perf_hooks punycode querystring readline readline/promises stream stream/consumers stream/promises stream/web '
    + 'string_decoder sys timers timers/promises tty url util util/types vm node:sea node:test/reporters'),
  ...all('takes the contents of files, not their names', '_tls_common _tls_wrap tls'),
  ...all('connects to sockets by path; it does not read files', 'net'),
  ...all('opens files through fs.open, which is patched', 'http2 repl zlib'),
  trace_events: 'writes timings into the working directory',
  'node:test': 'runs files through import, which has the load hook, or in child processes',
};

module.exports = { UNGUARDED, MODULES };
