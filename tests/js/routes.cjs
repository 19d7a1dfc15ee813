'use strict';
// Ways from a tool's code to a protected file, one function each. `t` has: secret (the protected file), dir (its
// directory), home, work (an ordinary directory), env (a .env in work), out (a fresh path), link, hard (made beforehand).
// A route returns what it got; it leaks if that contains the secret. A route that changes something returns t.DONE.
// quiet: denied without an error. since: the first node that has it. leaks: a known leak, with the reason (docs/threat-model.md).

const fs = require('node:fs');
const fsp = require('node:fs/promises');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { promisify } = require('node:util');
const workers = require('node:worker_threads');

const VAULT = 'a child process is confined by the kernel vault, not by this guard';

const callback = (call) => new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value))));
const text = (stream) => new Promise((resolve, reject) => {
  let all = '';
  stream.on('data', (chunk) => { all += chunk; }).on('error', reject).on('end', () => resolve(all));
});
const drain = async (iterator) => {
  const all = [];
  for await (const item of iterator) all.push(item.name ?? item);
  return all;
};
const worker = (source, options) => new Promise((resolve, reject) => {
  const w = new workers.Worker(source, { eval: true, stderr: true, ...options });
  w.on('message', (m) => (m.error ? reject(Object.assign(new Error(m.error), { code: m.code, path: m.path })) : resolve(m.value)));
  w.on('error', reject);
  w.on('exit', () => reject(new Error('worker said nothing')));
});
const workerRead = (file) => `const w = require('worker_threads');
  try { w.parentPort.postMessage({ value: require('fs').readFileSync(${JSON.stringify(file)}, 'utf8') }); }
  catch (e) { w.parentPort.postMessage({ error: e.message, code: e.code, path: e.path }); }`;
/** What is in `file` after a change that plants t.DONE there. */
const planted = async (t, file, change) => { await change(); return fs.readFileSync(file, 'utf8'); };
const get = (t, done) => fs.readFile(t.secret, 'utf8', done);

const routes = {
  // plain reads
  readFileSync: (t) => fs.readFileSync(t.secret, 'utf8'),
  readFile: (t) => callback((done) => get(t, done)),
  'promises.readFile': (t) => fsp.readFile(t.secret, 'utf8'),
  'promisify(readFile)': (t) => promisify(fs.readFile)(t.secret, 'utf8'),
  'openSync, readSync': (t) => { const b = Buffer.alloc(99); const fd = fs.openSync(t.secret); fs.readSync(fd, b); return b.toString(); },
  'openSync, readvSync': (t) => { const b = Buffer.alloc(99); fs.readvSync(fs.openSync(t.secret), [b]); return b.toString(); },
  'open, read': async (t) => { const b = Buffer.alloc(99); const fd = await callback((d) => fs.open(t.secret, d)); await callback((d) => fs.read(fd, b, d)); return b.toString(); },
  'readFileSync(fd)': (t) => fs.readFileSync(fs.openSync(t.secret), 'utf8'),
  'FileHandle.readFile': async (t) => { const h = await fsp.open(t.secret); const v = await h.readFile('utf8'); await h.close(); return v; },
  'FileHandle.read': async (t) => { const h = await fsp.open(t.secret); const { buffer } = await h.read(); await h.close(); return buffer.toString(); },
  'FileHandle.createReadStream': async (t) => text((await fsp.open(t.secret)).createReadStream()),
  'FileHandle.readLines': async (t) => (await drain((await fsp.open(t.secret)).readLines())).join(),
  'FileHandle.readableWebStream': async (t) => { const h = await fsp.open(t.secret); const r = await new Response(h.readableWebStream()).text(); await h.close(); return r; },
  'promises.readFile(FileHandle)': async (t) => { const h = await fsp.open(t.secret); const v = await fsp.readFile(h, 'utf8'); await h.close(); return v; },
  createReadStream: (t) => text(fs.createReadStream(t.secret)),
  'new ReadStream': (t) => text(new fs.ReadStream(t.secret)),
  'ReadStream without new': (t) => text(fs.ReadStream(t.secret)),
  'new FileReadStream': (t) => text(new fs.FileReadStream(t.secret)),
  openAsBlob: async (t) => (await fs.openAsBlob(t.secret)).text(),
  // copies and links
  copyFileSync: (t) => { fs.copyFileSync(t.secret, t.out); return fs.readFileSync(t.out, 'utf8'); },
  copyFile: async (t) => { await callback((d) => fs.copyFile(t.secret, t.out, d)); return fs.readFileSync(t.out, 'utf8'); },
  'promises.copyFile': async (t) => { await fsp.copyFile(t.secret, t.out); return fs.readFileSync(t.out, 'utf8'); },
  cpSync: (t) => { fs.cpSync(t.secret, t.out); return fs.readFileSync(t.out, 'utf8'); },
  'cpSync of the tree above': (t) => { fs.cpSync(t.home, t.out, { recursive: true }); return fs.readFileSync(path.join(t.out, '.pi/agent/auth.json'), 'utf8'); },
  'promises.cp of the tree above': async (t) => { await fsp.cp(t.home, t.out, { recursive: true }); return fs.readFileSync(path.join(t.out, '.pi/agent/auth.json'), 'utf8'); },
  'cp of a tree with a .env': async (t) => { await callback((d) => fs.cp(t.work, t.out, { recursive: true }, d)); fs.renameSync(path.join(t.out, '.env'), path.join(t.out, 'x')); return fs.readFileSync(path.join(t.out, 'x'), 'utf8'); },
  linkSync: (t) => { fs.linkSync(t.secret, t.out); return fs.readFileSync(t.out, 'utf8'); },
  'promises.link': async (t) => { await fsp.link(t.secret, t.out); return fs.readFileSync(t.out, 'utf8'); },
  symlinkSync: (t) => { fs.symlinkSync(t.secret, t.out); return t.DONE; },
  'symlinkSync, relative': (t) => { fs.symlinkSync(path.relative(path.dirname(t.out), t.secret), t.out); return t.DONE; },
  'promises.symlink': async (t) => { await fsp.symlink(t.secret, t.out); return t.DONE; },
  'symlink to a directory above': (t) => { fs.symlinkSync(t.home, t.out); return fs.readFileSync(path.join(t.out, '.pi/agent/auth.json'), 'utf8'); },
  renameSync: (t) => { fs.renameSync(t.secret, t.out); return fs.readFileSync(t.out, 'utf8'); },
  'rename of the tree above': (t) => { fs.renameSync(path.dirname(t.listed), t.out); return fs.readFileSync(path.join(t.out, 'listed.key'), 'utf8'); },
  // spellings
  'Buffer path': (t) => fs.readFileSync(Buffer.from(t.secret), 'utf8'),
  'Uint8Array path': (t) => fs.readFileSync(new Uint8Array(Buffer.from(t.secret)), 'utf8'),
  'file: URL': (t) => fs.readFileSync(pathToFileURL(t.secret), 'utf8'),
  '%-encoded file: URL': (t) => fs.readFileSync(new URL('file://' + t.secret.replace('auth.json', '%61uth%2ejson')), 'utf8'),
  'object that looks like a URL': (t) => fs.readFileSync({ href: 'file://' + t.secret, protocol: 'file:', hostname: '', pathname: t.secret }, 'utf8'),
  'object whose pathname changes': (t) => {
    let asked = 0;
    const late = { href: 'file:///x', protocol: 'file:', hostname: '', get pathname() { return asked++ ? t.secret : '/etc/hostname'; } };
    return process.versions.node && fs.readFileSync(late, 'utf8') && fs.readFileSync(late, 'utf8');
  },
  'relative path': (t) => { process.chdir(t.home); return fs.readFileSync('.pi/agent/auth.json', 'utf8'); },
  'dots and slashes': (t) => fs.readFileSync(`${t.home}//.pi/./agent/../agent///auth.json`, 'utf8'),
  'working directory, then name': (t) => { process.chdir(t.dir); return fs.readFileSync('./auth.json', 'utf8'); },
  'a path of the list': (t) => fs.readFileSync(t.listed, 'utf8'),
  'a name with a wildcard': (t) => fs.readFileSync(t.token, 'utf8'),
  'below a protected directory': (t) => fs.readFileSync(t.below, 'utf8'),
  'a .env in the workspace': (t) => fs.readFileSync(t.env, 'utf8'),
  // links that were there before
  'symlink made before': (t) => fs.readFileSync(t.link, 'utf8'),
  'symlink to the directory made before': (t) => fs.readFileSync(path.join(t.dirLink, 'auth.json'), 'utf8'),
  'chain of symlinks': (t) => fs.readFileSync(t.chain, 'utf8'),
  'hard link of a listed path made before': (t) => fs.readFileSync(t.hard, 'utf8'),
  '/proc/self/root': (t) => fs.readFileSync('/proc/self/root' + t.link, 'utf8'),
  '/proc/self/fd': (t) => fs.readFileSync(`/proc/self/fd/${t.fd}`, 'utf8'),
  '/proc/self/environ': () => fs.readFileSync('/proc/self/environ', 'utf8'),
  '/proc/<pid>/task/<tid>/environ': () => fs.readFileSync(`/proc/${process.pid}/task/${process.pid}/environ`, 'utf8'),
  // names and metadata
  readdirSync: (t) => fs.readdirSync(t.dir) && t.DONE,
  'promises.readdir': async (t) => (await fsp.readdir(t.dir)) && t.DONE,
  opendirSync: (t) => fs.opendirSync(t.dir).readSync() && t.DONE,
  'promises.opendir': async (t) => (await drain(await fsp.opendir(t.dir))) && t.DONE,
  globSync: (t) => fs.globSync(t.secret).length && t.DONE,
  'promises.glob': async (t) => (await drain(fsp.glob('auth.json', { cwd: t.dir }))).length && t.DONE,
  statSync: (t) => fs.statSync(t.secret) && t.DONE,
  'promises.lstat': async (t) => (await fsp.lstat(t.secret)) && t.DONE,
  accessSync: (t) => { fs.accessSync(t.secret); return t.DONE; },
  existsSync: { quiet: true, run: (t) => (fs.existsSync(t.secret) ? t.DONE : '') },
  'promisify(exists)': { quiet: true, run: async (t) => ((await promisify(fs.exists)(t.secret)) ? t.DONE : '') },
  readlinkSync: (t) => fs.readlinkSync(t.link) && t.DONE,
  'realpathSync.native': (t) => fs.realpathSync.native(t.secret) && t.DONE,
  watch: (t) => { fs.watch(t.secret).close(); return t.DONE; },
  watchFile: (t) => { fs.watchFile(t.secret, () => {}); fs.unwatchFile(t.secret); return t.DONE; },
  'promises.watch': async (t) => { const stop = new AbortController(); const w = fsp.watch(t.secret, { signal: stop.signal }); const n = w.next(); setTimeout(() => stop.abort(), 50); try { await n; } catch (e) { if (e.name !== 'AbortError') throw e; } return t.DONE; },
  // changes
  writeFileSync: (t) => { fs.writeFileSync(t.secret, 'x'); return t.DONE; },
  'promises.writeFile': async (t) => { await fsp.writeFile(t.secret, 'x'); return t.DONE; },
  appendFileSync: (t) => { fs.appendFileSync(t.secret, 'x'); return t.DONE; },
  'new protected file': (t) => { fs.writeFileSync(path.join(t.work, 'gh_new'), 'x'); return t.DONE; },
  'write through a link that dangles': (t) => { fs.writeFileSync(t.dangling, 'x'); return t.DONE; },
  createWriteStream: (t) => new Promise((done, fail) => fs.createWriteStream(t.secret).on('error', fail).end('x', (error) => (error ? fail(error) : done(t.DONE)))),
  'new WriteStream': (t) => new Promise((done, fail) => new fs.WriteStream(t.secret).on('error', fail).end('x', (error) => (error ? fail(error) : done(t.DONE)))),
  'new Utf8Stream': (t) => { const s = new fs.Utf8Stream({ dest: t.secret, sync: true }); s.write('x'); s.flushSync(); s.destroy(); return t.DONE; },
  truncateSync: (t) => { fs.truncateSync(t.secret, 0); return t.DONE; },
  chmodSync: (t) => { fs.chmodSync(t.secret, 0o644); return t.DONE; },
  'promises.utimes': async (t) => { await fsp.utimes(t.secret, 1, 1); return t.DONE; },
  unlinkSync: (t) => { fs.unlinkSync(t.secret); return t.DONE; },
  'rmSync of a tree above a listed path': (t) => { fs.rmSync(path.dirname(t.listed), { recursive: true }); return t.DONE; },
  mkdirSync: (t) => { fs.mkdirSync(path.join(t.work, 'gh_dir')); return t.DONE; },
  mkdtempSync: (t) => { fs.mkdtempSync(path.join(t.work, 'gh_')); return t.DONE; },
  // changes to what tools may read: settings, extensions
  'settings: writeFileSync': (t) => planted(t, t.settings, () => fs.writeFileSync(t.settings, t.DONE)),
  'settings: promises.writeFile': (t) => planted(t, t.settings, () => fsp.writeFile(t.settings, t.DONE)),
  'settings: appendFileSync': (t) => planted(t, t.settings, () => fs.appendFileSync(t.settings, t.DONE)),
  'settings: createWriteStream': (t) => planted(t, t.settings, () => new Promise((done, fail) => fs.createWriteStream(t.settings).on('error', fail).end(t.DONE, done))),
  'settings: openSync r+': (t) => planted(t, t.settings, () => fs.writeSync(fs.openSync(t.settings, 'r+'), t.DONE)),
  'settings: openSync, number': (t) => planted(t, t.settings, () => fs.writeSync(fs.openSync(t.settings, fs.constants.O_WRONLY), t.DONE)),
  'settings: promises.open w': (t) => planted(t, t.settings, async () => { const h = await fsp.open(t.settings, 'w'); await h.write(t.DONE); await h.close(); }),
  'settings: readFileSync, flag w+': (t) => { fs.readFileSync(t.settings, { flag: 'w+' }); return fs.statSync(t.settings).size === 0 ? t.DONE : ''; },
  'settings: flag that changes': (t) => { let asked = 0; fs.readFileSync(t.settings, { get flag() { return asked++ ? 'w+' : 'r'; } }); fs.readFileSync(t.settings, { flag: 'w+' }); return t.DONE; },
  'settings: truncateSync': (t) => { fs.truncateSync(t.settings, 1); return t.DONE; },
  'settings: copyFileSync': (t) => planted(t, t.settings, () => fs.copyFileSync(t.evil + '/listed.key', t.settings)),
  'settings: renameSync over it': (t) => planted(t, t.settings, () => fs.renameSync(t.evil + '/listed.key', t.settings)),
  'settings: unlinkSync': (t) => { fs.unlinkSync(t.settings); return t.DONE; },
  'settings: promises.rm': async (t) => { await fsp.rm(t.settings); return t.DONE; },
  'settings: chmodSync': (t) => { fs.chmodSync(t.settings, 0o666); return t.DONE; },
  'settings: linkSync, then write': (t) => planted(t, t.settings, () => { fs.linkSync(t.settings, t.out); fs.writeFileSync(t.out, t.DONE); }),
  'settings: symlinkSync': (t) => planted(t, t.settings, () => { fs.symlinkSync(t.settings, t.out); fs.writeFileSync(t.out, t.DONE); }),
  'settings: hard link made before': (t) => planted(t, t.settings, () => fs.writeFileSync(path.join(t.work, 'hardsettings'), t.DONE)),
  'settings: node:sqlite': (t) => { const { DatabaseSync } = require('node:sqlite'); fs.truncateSync(t.other); new DatabaseSync(t.settings.replace('settings.json', 'new.db')).exec('create table t (v)'); return t.DONE; },
  'extensions: new file': (t) => planted(t, t.extensions + '/x.js', () => fs.writeFileSync(t.extensions + '/x.js', t.DONE)),
  'extensions: through a link': (t) => planted(t, t.extensions + '/x.js', () => fs.writeFileSync(path.join(t.work, 'plugins/x.js'), t.DONE)),
  'extensions: mkdirSync': (t) => { fs.mkdirSync(t.extensions + '/x'); return t.DONE; },
  'extensions: mkdtempSync': (t) => { fs.mkdtempSync(t.extensions + '/x'); return t.DONE; },
  'extensions: cpSync of a tree into it': (t) => planted(t, t.extensions + '/evil.js', () => fs.cpSync(t.evil + '/agent/extensions', t.extensions, { recursive: true })),
  'extensions: cpSync over the tree above': (t) => planted(t, t.extensions + '/evil.js', () => fs.cpSync(t.evil, t.state, { recursive: true })),
  'extensions: cpSync through a link': (t) => planted(t, t.extensions + '/evil.js', () => fs.cpSync(t.evil + '/agent/extensions', path.join(t.work, 'plugins') + '/', { recursive: true })),
  'extensions: symlinkSync into it': (t) => { fs.symlinkSync(t.evil, t.extensions + '/x'); return t.DONE; },
  'extensions: renameSync of a directory into it': (t) => planted(t, t.extensions + '/x/evil.js', () => fs.renameSync(t.evil + '/agent/extensions', t.extensions + '/x')),
  'extensions: rename of the tree above': (t) => { fs.renameSync(t.state + '/agent', t.out); return t.DONE; },
  'a new name beside settings': (t) => { fs.writeFileSync(t.state + '/agent/hooks.json', 'x'); return t.DONE; },
  'a new directory beside settings': (t) => { fs.mkdirSync(t.state + '/agent/new/deep', { recursive: true }); return t.DONE; },
  'a name beside settings, removed': (t) => { fs.rmSync(t.other); return t.DONE; },
  'cpSync over a listed path': (t) => { fs.cpSync(t.evil, t.state, { recursive: true, filter: (f) => !f.includes('agent') }); return fs.readFileSync(t.state + '/listed.key', 'utf8'); },
  // other doors
  'require of JSON': (t) => JSON.stringify(require(t.secret)),
  'import() of JSON': async (t) => JSON.stringify((await import(pathToFileURL(t.secret), { with: { type: 'json' } })).default),
  'createRequire of JSON': (t) => JSON.stringify(require('node:module').createRequire(t.secret)('./auth.json')),
  'require of JSON through a link': (t) => JSON.stringify(require(t.jsonLink)),
  'process.loadEnvFile': (t) => { process.loadEnvFile(t.env); return process.env.TOKEN; },
  'process.loadEnvFile()': (t) => { process.chdir(t.work); process.loadEnvFile(); return process.env.TOKEN; },
  'process.binding': (t) => { const b = process.binding('fs'); const fd = b.open(t.secret, 0, 0); return fs.readFileSync(fd, 'utf8'); },
  'process.binding with a String object': (t) => { const b = process.binding(new String('fs')); return fs.readFileSync(b.open(t.secret, 0, 0), 'utf8'); },
  'process.report': (t) => (JSON.stringify(process.report.getReport().environmentVariables) ?? '') && t.DONE,
  'v8.writeHeapSnapshot': (t) => require('node:v8').writeHeapSnapshot(t.out) && t.DONE,
  'inspector.Session': (t) => { const s = new (require('node:inspector').Session)(); s.connect(); s.disconnect(); return t.DONE; },
  'debugger by signal': (t) => { process.on('SIGUSR1', () => {}); process.kill(process.pid, 'SIGUSR1'); return t.DONE; },
  'node:sqlite': (t) => { const { DatabaseSync } = require('node:sqlite'); return new DatabaseSync(t.database).prepare('select v from s').get().v; },
  'node:sqlite, file: URI': (t) => { const { DatabaseSync } = require('node:sqlite'); return new DatabaseSync('file:' + t.database.replace('gh_', '%67h_') + '?mode=ro').prepare('select v from s').get().v; },
  'node:sqlite, ATTACH': (t) => { const { DatabaseSync } = require('node:sqlite'); const db = new DatabaseSync(':memory:'); db.exec(`attach '${t.database}' as a`); return db.prepare('select v from a.s').get().v; },
  'node:sqlite, constructor of an instance': (t) => { const { DatabaseSync } = require('node:sqlite'); const C = new DatabaseSync(':memory:').constructor; return new C(t.database).prepare('select v from s').get().v; },
  'node:wasi': (t) => { const { WASI } = require('node:wasi'); new WASI({ version: 'preview1', preopens: { '/': t.dir } }); return t.DONE; },
  'http2 respondWithFile': (t) => new Promise((done, fail) => {
    const http2 = require('node:http2');
    const server = http2.createServer().on('stream', (s) => s.respondWithFile(t.secret, {}, { onError: (e) => { s.close(); fail(e); } }));
    server.listen(0, '127.0.0.1', () => text(http2.connect(`http://127.0.0.1:${server.address().port}`).request().setEncoding('utf8')).then(done, () => {}));
  }),
  'node:sqlite, createTagStore': (t) => { const { DatabaseSync } = require('node:sqlite'); const db = new DatabaseSync(':memory:'); const s = db.createTagStore(); s.run([`attach '${t.database}' as a`]); return db.prepare('select v from a.s').get().v; },
  'process.dlopen': (t) => { try { process.dlopen({ exports: {} }, '/etc/hostname'); } catch (e) { if (e.code !== 'ERR_DLOPEN_FAILED') throw e; } return t.DONE; },
  'require of a native module': (t) => { fs.writeFileSync(t.out + '.node', ''); try { require(t.out + '.node'); } catch (e) { if (e.code !== 'ERR_DLOPEN_FAILED') throw e; } return t.DONE; },
  'process.execve': (t) => { process.execve('/bin/echo', ['echo', JSON.stringify({ value: t.DONE })], {}); },
  'v8.queryObjects': (t) => require('node:v8').queryObjects(require('node:events'), { format: 'summary' }).length && t.DONE,
  'v8.setFlagsFromString': (t) => { require('node:v8').setFlagsFromString('--expose-gc'); return t.DONE; },
  'v8.promiseHooks': (t) => { require('node:v8').promiseHooks.onInit(() => {})(); return t.DONE; },
  'async_hooks.createHook': (t) => { require('node:async_hooks').createHook({}).enable(); return t.DONE; },
  'module.registerHooks': (t) => { require('node:module').registerHooks({}); return t.DONE; },
  'module.enableCompileCache': (t) => { require('node:module').enableCompileCache(t.work); return t.DONE; },
  'Module._load of JSON': (t) => JSON.stringify(require('node:module')._load(t.secret, null, false)),
  'Module._extensions': (t) => { const m = new (require('node:module'))(t.secret); require('node:module')._extensions['.json'](m, t.secret); return JSON.stringify(m.exports); },
  'vm: dynamic import': async (t) => {
    const vm = require('node:vm');
    const load = vm.runInThisContext(`(u) => import(u, { with: { type: 'json' } })`, { importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
    return JSON.stringify((await load(pathToFileURL(t.secret).href)).default);
  },
  'repl history': (t) => callback((d) => {
    const r = require('node:repl').start({ input: new (require('node:stream').PassThrough)(), output: new (require('node:stream').PassThrough)() });
    r.setupHistory({ filePath: t.listed }, (e) => { const h = r.history; r.close(); d(e, JSON.stringify(h)); });
  }),
  'node:ffi': { since: 25, run: (t) => { const { dlopen } = require('node:ffi'); dlopen(null, {}); return t.DONE; } },
  'zlib.ZipFile.open': { since: 25, run: async (t) => { try { await require('node:zlib').ZipFile.open(t.secret); } catch (e) { if (e.code === 'EACCES') throw e; } return t.DONE; } },
  'zlib.ZipFile.openSync': { since: 25, run: (t) => { try { require('node:zlib').ZipFile.openSync(t.secret); } catch (e) { if (e.code === 'EACCES') throw e; } return t.DONE; } },
  openAsBlobSync: { since: 25, run: async (t) => fs.openAsBlobSync(t.secret).text() },
  'module.register': (t) => { require('node:module').register('data:text/javascript,'); return t.DONE; },
  // workers
  worker: (t) => worker(workerRead(t.secret)),
  'worker, execArgv: []': (t) => worker(workerRead(t.secret), { execArgv: [] }),
  'worker, env: {}': (t) => worker(workerRead(t.secret), { execArgv: [], env: {} }),
  'worker in a worker': (t) => worker(`const w = require('worker_threads'); const i = new w.Worker(${JSON.stringify(workerRead(t.secret))}, { eval: true, execArgv: [] }); i.on('message', (m) => w.parentPort.postMessage(m));`),
  'constructor of a worker': (t) => { const first = new workers.Worker('', { eval: true }); const C = first.constructor; const old = workers.Worker; workers.Worker = C; try { return worker(workerRead(t.secret), { execArgv: [] }); } finally { workers.Worker = old; } },
  // handed on: no frame of the tool is left on the stack
  setTimeout: (t) => callback((d) => setTimeout(fs.readFile, 1, t.secret, 'utf8', d)),
  setImmediate: (t) => callback((d) => setImmediate(fs.readFile, t.secret, 'utf8', d)),
  setInterval: (t) => callback((d) => { const i = setInterval(fs.readFile, 1, t.secret, 'utf8', (e, v) => { clearInterval(i); d(e, v); }); }),
  nextTick: (t) => callback((d) => process.nextTick(fs.readFile, t.secret, 'utf8', d)),
  'promise.then': (t) => Promise.resolve(t.secret).then(fs.readFileSync).then(String),
  'then of a promise made outside': (t) => t.outside.then(() => t.secret).then(fs.readFileSync).then(String),
  queueMicrotask: (t) => callback((d) => queueMicrotask(fs.readFile.bind(fs, t.secret, 'utf8', d))),
  'timers/promises': async (t) => fs.readFileSync(await require('node:timers/promises').setTimeout(1, t.secret), 'utf8'),
  EventEmitter: (t) => callback((d) => { const e = new (require('node:events'))(); e.on('x', fs.readFile); e.emit('x', t.secret, 'utf8', d); }),
  EventTarget: (t) => callback((d) => { const e = new EventTarget(); e.addEventListener('x', () => get(t, d)); e.dispatchEvent(new Event('x')); }),
  'Array.map': (t) => [t.secret].map((f) => fs.readFileSync(f, 'utf8')).join(),
  MessageChannel: (t) => callback((d) => { const { port1, port2 } = new MessageChannel(); port1.onmessage = () => { get(t, d); port1.close(); }; port2.postMessage(1); }),
  FinalizationRegistry: (t) => callback((d) => {
    const r = new FinalizationRegistry(() => get(t, d));
    t.keep = r;
    for (let i = 0; i < 1000; i++) r.register({}, i);
    let litter = [];
    const i = setInterval(() => { for (let k = 0; k < 1e5; k++) litter.push({ k }); litter = []; }, 5);
    setTimeout(() => { clearInterval(i); d(null, 'nothing'); }, 20000).unref();
  }),
  'listener on an emitter that others emit': { leaks: 'a listener runs in the context of whoever emits', run: (t) => callback((d) => t.emitter.on('later', () => get(t, d))) },
  'diagnostics_channel': { leaks: 'a subscriber runs in the context of whoever publishes', run: (t) => callback((d) => require('node:diagnostics_channel').subscribe('agent.later', () => get(t, d))) },
  'process.on(exit)': { leaks: 'a listener runs in the context of whoever emits', run: (t) => { process.on('exit', () => t.say(fs.readFileSync(t.secret, 'utf8'))); return t.later; } },
  'function that the agent bound to itself': { leaks: 'AsyncResource.bind restores the context of whoever bound it; only code of the agent can hand such a function over', run: (t) => t.bound(t.secret) },
  // code that plays with the language
  'Error.stackTraceLimit = 0': (t) => { Error.stackTraceLimit = 0; return fs.readFileSync(t.secret, 'utf8'); },
  'Error.prepareStackTrace': (t) => { Error.prepareStackTrace = () => ''; return fs.readFileSync(t.secret, 'utf8'); },
  'more than ten frames': (t) => { const deep = (n) => (n ? deep(n - 1) : fs.readFileSync(t.secret, 'utf8')); return deep(50); },
  'patched String.prototype': (t) => { for (const k of ['includes', 'indexOf', 'startsWith', 'endsWith', 'split', 'slice', 'toLowerCase']) String.prototype[k] = k === 'slice' || k === 'toLowerCase' ? function () { return 'x'; } : () => false; return fs.readFileSync(t.secret, 'utf8'); },
  'patched Array.prototype': (t) => { Array.prototype[Symbol.iterator] = function* () {}; Array.prototype.push = () => 0; return fs.readFileSync(t.secret, 'utf8'); },
  'patched Map.prototype': (t) => { Map.prototype.get = () => undefined; Map.prototype.has = () => false; return fs.readFileSync(t.secret, 'utf8'); },
  'patched Reflect': (t) => { Reflect.apply = () => null; Function.prototype.call = () => null; Function.prototype.bind = () => () => null; return fs.readFileSync(t.secret, 'utf8'); },
  'patched AsyncLocalStorage': (t) => { const A = require('node:async_hooks').AsyncLocalStorage; A.prototype.getStore = () => undefined; A.prototype.run = (s, f) => f(); return fs.readFileSync(t.secret, 'utf8'); },
  'patched path': (t) => { path.resolve = () => '/x'; path.dirname = () => '/x'; path.basename = () => 'x'; return fs.readFileSync(t.secret, 'utf8'); },
  'patched process.cwd': (t) => { process.chdir(t.home); process.cwd = () => '/nowhere'; return fs.readFileSync('.pi/agent/auth.json', 'utf8'); },
  'patched realpath': (t) => { fs.realpathSync.native = (f) => f; fs.statSync = () => undefined; return fs.readFileSync(t.link, 'utf8'); },
  'patched AsyncLocalStorage, next tool call': (t) => {
    const A = require('node:async_hooks').AsyncLocalStorage;
    const { enterWith, exit } = A.prototype;
    let caught;
    A.prototype.enterWith = function (v) { caught ??= this; return enterWith.call(this, v); };
    return t.nextTool(() => t.nextTool(() => (caught === undefined ? fs.readFileSync(t.secret, 'utf8') : exit.call(caught, () => fs.readFileSync(t.secret, 'utf8')))));
  },
  'context of a timer taken away': { leaks: 'node keeps the context in the open, on every timer; only code in the process of the agent can reach it', run: (t) => {
    const timer = setTimeout(() => {}, 1);
    const frame = Object.getOwnPropertySymbols(timer).map((k) => timer[k]).find((v) => /AsyncContextFrame/.test(v?.constructor?.name));
    if (frame === undefined) return fs.readFileSync(t.secret, 'utf8');
    frame.constructor.set(undefined);
    return fs.readFileSync(t.secret, 'utf8');
  } },
  'AsyncLocalStorage.exit': (t) => new (require('node:async_hooks').AsyncLocalStorage)().exit(() => fs.readFileSync(t.secret, 'utf8')),
  'AsyncLocalStorage.snapshot': (t) => require('node:async_hooks').AsyncLocalStorage.snapshot()(() => fs.readFileSync(t.secret, 'utf8')),
  'fresh copy of fs': (t) => process.getBuiltinModule('fs').readFileSync(t.secret, 'utf8'),
  'import of node:fs': async (t) => (await import('node:fs')).readFileSync(t.secret, 'utf8'),
  'vm context': (t) => require('node:vm').runInNewContext('f(s, "utf8")', { f: fs.readFileSync, s: t.secret }),
  'new Function': (t) => new Function('f', 's', 'return f(s, "utf8")')(fs.readFileSync, t.secret),
  // known leaks
  'spawnSync cat': { leaks: VAULT, run: (t) => require('node:child_process').spawnSync('cat', [t.secret], { encoding: 'utf8' }).stdout },
  'execSync cat': { leaks: VAULT, run: (t) => require('node:child_process').execSync(`cat '${t.secret}'`, { encoding: 'utf8' }) },
  'fork of node': { leaks: VAULT, run: (t) => require('node:child_process').execFileSync(process.execPath, ['-p', `require("fs").readFileSync(${JSON.stringify(t.secret)}, "utf8")`], { encoding: 'utf8' }) },
  'hard link of a name rule made before': { leaks: 'a name rule knows no inode; the vault counts links at launch', run: (t) => fs.readFileSync(t.hardEnv, 'utf8') },
  'glob over a tree': { leaks: 'names only: the result of a pattern is not filtered', run: (t) => (fs.globSync('.e*', { cwd: t.work }).includes('.env') ? t.DONE : '') },
  'readdir of the directory above': { leaks: 'names only: a listing is not filtered', run: (t) => (fs.readdirSync(t.work).includes('.env') ? t.DONE : '') },
  'patched JSON.parse': { leaks: 'later reads of the agent itself pass through what a tool has replaced', run: (t) => callback((d) => { const parse = JSON.parse; JSON.parse = (s, r) => { if (s.includes('TOP')) d(null, s); return parse(s, r); }; }) },
  'descriptor that the agent opened': { leaks: 'an open descriptor needs no path', run: (t) => fs.readFileSync(t.fd, 'utf8') },
};

module.exports = routes;
