'use strict';
// What tools do all day, inside the tool context.
const assert = require('node:assert');
const path = require('node:path');
const fs = require('node:fs');
const { pathToFileURL } = require('node:url');
const { once } = require('node:events');
const { promisify } = require('node:util');

const dir = process.argv[2];
const file = path.join(dir, 'plain.txt');
const { runAsTool } = require(process.env.FIREWALL_JS).installFrom({ version: 2, agent: 'pi', tree: path.join(dir, 'state'), deny: ['.env'], paths: [path.join(dir, 'state/key')], read: [], write: [], frames: [] });

async function work() {
  fs.writeFileSync(file, 'hello');
  await fs.promises.appendFile(pathToFileURL(file), ' world');
  assert.equal(fs.readFileSync(Buffer.from(file), 'utf8'), 'hello world');
  assert.equal(await promisify(fs.readFile)(file, 'utf8'), 'hello world');
  assert.equal(fs.existsSync(file), true);
  assert.equal(await promisify(fs.exists)(file), true);
  assert.equal(fs.existsSync(path.join(dir, 'none')), false);
  assert.throws(() => fs.readFileSync(path.join(dir, 'none')), { code: 'ENOENT' });
  assert.throws(() => fs.readFileSync({}), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => fs.readFile(file), { code: 'ERR_INVALID_ARG_TYPE' });

  const handle = await fs.promises.open(file);
  assert.equal(await handle.readFile('utf8'), 'hello world');
  await handle.close();
  const second = await fs.promises.open(file);
  assert.equal(await fs.promises.readFile(second, 'utf8'), 'hello world');
  await second.close();
  let streamed = '';
  for await (const chunk of fs.createReadStream(file)) streamed += chunk;
  assert.equal(streamed, 'hello world');
  const out = fs.createWriteStream(path.join(dir, 'streamed'));
  out.end('x');
  await once(out, 'close');

  fs.symlinkSync('plain.txt', path.join(dir, 'link'));
  assert.equal(fs.readFileSync(path.join(dir, 'link'), 'utf8'), 'hello world');
  fs.linkSync(file, path.join(dir, 'hard'));
  assert.equal(fs.readFileSync(path.join(dir, 'hard'), 'utf8'), 'hello world');
  fs.mkdirSync(path.join(dir, 'a/b'), { recursive: true });
  fs.cpSync(path.join(dir, 'a'), path.join(dir, 'c'), { recursive: true });
  fs.renameSync(path.join(dir, 'c'), path.join(dir, 'd'));
  fs.rmSync(path.join(dir, 'd'), { recursive: true });
  assert.deepEqual(fs.globSync('*.txt', { cwd: dir }), ['plain.txt']);
  assert.equal((await Array.fromAsync(fs.promises.glob('*.txt', { cwd: dir }))).length, 1);
  assert.equal((await Array.fromAsync(await fs.promises.opendir(dir))).length, 5);
  fs.watch(file).close();
  assert.equal(fs.realpathSync.native(path.join(dir, 'link')), fs.realpathSync(file));

  fs.writeFileSync(path.join(dir, 'data.json'), '{"a":1}');
  assert.deepEqual(require(path.join(dir, 'data.json')), { a: 1 });
  fs.writeFileSync(path.join(dir, 'code.mjs'), 'export const b = 2;');
  assert.equal((await import(path.join(dir, 'code.mjs'))).b, 2);
  const { Worker } = require('node:worker_threads');
  const worker = new Worker('require("worker_threads").parentPort.postMessage(require("fs").readFileSync(process.argv[2], "utf8"))', { eval: true, argv: [file] });
  assert.equal((await once(worker, 'message'))[0], 'hello world');
  await once(worker, 'exit');
  assert.equal(require('node:child_process').execFileSync('cat', [file], { encoding: 'utf8' }), 'hello world');
  process.kill(process.pid, 0);
  process.emitWarning = () => {};
  const { DatabaseSync } = require('node:sqlite');
  const db = new DatabaseSync(path.join(dir, 'db'));
  db.exec('create table t (v)');
  assert.ok(db instanceof DatabaseSync);
  db.close();
}

runAsTool(work).then(() => process.stdout.write('ok\n'));
