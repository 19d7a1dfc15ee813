'use strict';
// One route in one process: node run_route.cjs ROUTE MODE ROOT. MODE: control (no guard), tool (guard, inside the tool
// context), agent (guard, outside). Prints one line of JSON. `--list` prints the names.
const fs = require('node:fs');
const path = require('node:path');
const { EventEmitter } = require('node:events');
const { AsyncResource } = require('node:async_hooks');

const SECRET = 'TOP-SECRET-7f3a';
const join = path.join;

function layout(root) {
  const [home, work] = [join(root, 'home'), join(root, 'work')];
  const t = {
    home, work, dir: join(home, '.pi/agent'), secret: join(home, '.pi/agent/auth.json'), env: join(work, '.env'), out: join(root, 'out'),
    state: join(root, 'state'), listed: join(root, 'state/listed.key'), token: join(work, 'gh_token'), below: join(work, '.secrets/deep/file'), link: join(work, 'link'), dirLink: join(work, 'dirlink'),
    chain: join(work, 'chain'), hard: join(work, 'hard'), hardEnv: join(work, 'hardenv'), dangling: join(work, 'dangling'), database: join(work, 'gh_db'), jsonLink: join(work, 'link.json'),
    settings: join(root, 'state/agent/settings.json'), extensions: join(root, 'state/agent/extensions'), evil: join(root, 'evil'), other: join(root, 'state/agent/other'),
    DONE: SECRET,
  };
  for (const d of [t.dir, t.extensions, path.dirname(t.below), join(t.evil, 'agent/extensions')]) fs.mkdirSync(d, { recursive: true });
  fs.writeFileSync(t.secret, JSON.stringify({ key: SECRET }));
  for (const f of [t.listed, t.token, t.below]) fs.writeFileSync(f, SECRET);
  fs.writeFileSync(t.settings, '{}');
  fs.writeFileSync(t.other, '{}');
  for (const f of ['listed.key', 'agent/settings.json', 'agent/extensions/evil.js']) fs.writeFileSync(join(t.evil, f), SECRET);
  fs.symlinkSync(t.extensions, join(work, 'plugins'));
  fs.linkSync(t.settings, join(work, 'hardsettings'));
  fs.writeFileSync(t.env, `TOKEN=${SECRET}\n`);
  fs.symlinkSync(t.secret, t.link);
  fs.symlinkSync(t.secret, t.jsonLink);
  fs.symlinkSync(t.dir, t.dirLink);
  fs.symlinkSync('link', t.chain);
  fs.linkSync(t.listed, t.hard);
  fs.linkSync(t.env, t.hardEnv);
  fs.symlinkSync(join(work, 'gh_missing'), t.dangling);
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  const db = new (require('node:sqlite').DatabaseSync)(t.database);
  process.emitWarning = emitWarning;
  db.exec(`create table s (v); insert into s values ('${SECRET}')`);
  db.close();
  return t;
}

function policyFor(t) {
  return { version: 2, agent: 'pi', tree: t.state, deny: ['auth.json', 'gh_*', '.secrets', '.env', '.pi/agent'], paths: [t.listed], read: [t.settings, t.extensions], write: [], frames: [] };
}

async function main(name, mode, root) {
  const routes = require('./routes.cjs');
  if (name === '--list') {
    const row = ([n, r]) => ({ name: n, quiet: r.quiet ?? false, since: r.since ?? null, leaks: r.leaks ?? null });
    return process.stdout.write(JSON.stringify(Object.entries(routes).map(row)));
  }
  const t = layout(root);
  t.fd = fs.openSync(t.secret);
  t.outside = Promise.resolve();
  t.emitter = new EventEmitter();
  t.later = Symbol('later');
  t.bound = AsyncResource.bind((file) => fs.readFileSync(file, 'utf8'));
  setTimeout(() => {
    t.emitter.emit('later');
    require('node:diagnostics_channel').channel('agent.later').publish({});
    if (fs.existsSync(t.secret)) JSON.parse(fs.readFileSync(t.secret, 'utf8') || 'null'); // as an agent does now and then
  }, 100);
  const [log, stringify] = [fs.writeSync, JSON.stringify];
  t.say = (value) => log(1, `${stringify({ value: String(value) })}\n`);

  const route = typeof routes[name] === 'function' ? routes[name] : routes[name].run;
  let runAsTool = (fn) => fn();
  t.nextTool = runAsTool;
  if (mode !== 'control') {
    const channel = require(process.env.FIREWALL_JS).installFrom(policyFor(t));
    if (mode === 'tool') runAsTool = channel.runAsTool;
    t.nextTool = runAsTool;
  }
  try {
    const value = await runAsTool(async () => route(t));
    if (value !== t.later) t.say(value);
    else return undefined;
  } catch (error) {
    log(1, `${stringify({ error: error.message, code: error.code ?? null, path: error.path ?? null })}\n`);
  }
  process.reallyExit(0);
  return undefined;
}

main(...process.argv.slice(2));
