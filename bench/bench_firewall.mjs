// The cost of js/ beside a bare node and the classic design (new Error().stack at each call), in one run.
//     node bench/bench_firewall.mjs POLICY.json JOINED   (bench/firewall.py renders the policy, joins js/, and calls this)
// Calls: variants take turns in one process (the classic design in another one, lest its garbage be counted to the rest); for each turn fs holds the functions of that variant, so that what
// readFileSync calls inside is the variant's too. Start: processes in turn. All numbers are medians. Exit 1: a goal is missed.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(import.meta.url);
const FIREWALL = path.resolve(path.dirname(HERE), '../js/app-firewall.js');
const ROUNDS = 80;
const SYNC_CALLS = 500;
const ASYNC_CALLS = 150;
const STARTS = 60;
const GOALS = { outside: 1.05, inside: 3, start: 6 };
const PATCHED = ['readFileSync', 'openSync'];

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const pick = (from) => Object.fromEntries(PATCHED.map((name) => [name, from[name]]));

/** What a usual guard does: reads the stack at each call, then compares the path. */
const classic = (original) => function (file, ...rest) {
  if (new Error().stack.includes('/tools/') && String(file).includes('auth.json')) throw new Error('denied');
  return original.call(this, file, ...rest);
};

const loop = () => new Function('fs', 'file', 'n', 'for (let i = 0; i < n; i++) fs.readFileSync(file)');
const asyncLoop = () => new Function('read', 'file', 'n', 'return (async () => { for (let i = 0; i < n; i++) await read(file); })()');

/** Nanoseconds per call of each variant: { sync: { variant: number }, promise: … }. */
async function measureCalls(policy, names, frames) {
  const bare = { ...pick(fs), promise: fs.promises.readFile };
  if (frames) process.argv[1] = frames;
  const { runAsTool } = createRequire(HERE)(FIREWALL).installFrom(JSON.parse(fs.readFileSync(policy, 'utf8')));
  const hooked = { ...pick(fs), promise: fs.promises.readFile };
  const stacked = { ...Object.fromEntries(PATCHED.map((name) => [name, classic(bare[name])])), promise: classic(bare.promise) };
  runAsTool(() => {});
  const plain = (fn) => fn();
  const all = { bare: [bare, plain], outside: [hooked, plain], inside: [hooked, runAsTool], classic: [stacked, plain] };
  const variants = Object.fromEntries(names.map((name) => [name, all[name]]));
  const loops = Object.fromEntries(Object.keys(variants).map((name) => [name, [loop(), asyncLoop()]]));
  const found = { sync: {}, promise: {} };
  const note = (kind, name, start, calls) => (found[kind][name] ??= []).push(Number(process.hrtime.bigint() - start) / calls);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, [functions, run]] of Object.entries(variants).sort(() => Math.random() - 0.5)) {
      for (const patched of PATCHED) fs[patched] = functions[patched];
      let start = process.hrtime.bigint();
      run(() => loops[name][0](fs, HERE, SYNC_CALLS));
      note('sync', name, start, SYNC_CALLS);
      start = process.hrtime.bigint();
      await run(() => loops[name][1](functions.promise, HERE, ASYNC_CALLS));
      note('promise', name, start, ASYNC_CALLS);
    }
  }
  for (const kind of Object.values(found)) for (const name of Object.keys(kind)) kind[name] = median(kind[name].slice(5));
  return found;
}

/** Milliseconds from spawn to exit of `node -e 0`, with each of the hooks before it. */
function measureStarts(folder, policy, joined) {
  const hook = (name, entry) => {
    const file = path.join(folder, name);
    fs.writeFileSync(file, `require(${JSON.stringify(entry)}).installFrom(JSON.parse(require('fs').readFileSync(${JSON.stringify(policy)}, 'utf8')));`);
    return ['--require', file];
  };
  const stacked = path.join(folder, 'classic.cjs');
  fs.writeFileSync(stacked, `const fs = require('fs'); const classic = ${classic};
    for (const o of [fs, fs.promises]) for (const n of Object.keys(o)) if (typeof o[n] === 'function' && /^[a-z]/.test(n)) o[n] = classic(o[n]);`);
  const variants = { bare: [], hook: hook('hook.cjs', path.join(joined, 'app-firewall.js')), files: hook('files.cjs', FIREWALL), classic: ['--require', stacked] };
  const samples = {};
  for (let round = 0; round < STARTS; round++) {
    for (const [name, options] of Object.entries(variants).sort(() => Math.random() - 0.5)) {
      const start = process.hrtime.bigint();
      const { status, stderr } = spawnSync(process.execPath, [...options, '-e', '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
      if (status !== 0) throw new Error(String(stderr));
      (samples[name] ??= []).push(Number(process.hrtime.bigint() - start) / 1e6);
    }
  }
  const more = (name) => median(samples[name].map((value, i) => value - samples.bare[i]));
  return { bare: median(samples.bare), hook: more('hook'), files: more('files'), classic: more('classic') };
}

function child(policy, names, frames = '') {
  const { stdout, stderr } = spawnSync(process.execPath, [HERE, policy, '--calls', names, frames], { encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

let missed = 0;
const row = (what, value, unit, ratio, goal) => {
  const late = goal !== undefined && ratio > goal;
  missed += late;
  console.log(`| ${what} | ${value.toFixed(2)} ${unit} | ${unit === 'ms' ? `+${ratio.toFixed(1)} ms` : ratio.toFixed(3)} | ${goal ?? ''}${late ? ' missed' : ''} |`);
};

function main(policy, joined) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-firewall-'));
  fs.mkdirSync(path.join(folder, 'dist/core/tools'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'dist/cli.js'), '');
  try {
    console.log(`node ${process.version}\n\n| what | time | to bare | goal |\n|---|---|---|---|`);
    const calls = child(policy, 'bare,outside,inside');
    const usual = child(policy, 'bare,classic');
    const frames = child(policy, 'bare,outside', path.join(folder, 'dist/cli.js'));
    for (const [kind, call] of [['sync', 'readFileSync'], ['promise', 'promises.readFile']]) {
      const { bare, outside, inside } = calls[kind];
      row(`${call}, bare`, bare / 1e3, 'µs', 1);
      row(`${call}, hook, no tool running`, outside / 1e3, 'µs', outside / bare, GOALS.outside);
      row(`${call}, hook, inside a tool`, inside / 1e3, 'µs', inside / bare, GOALS.inside);
      row(`${call}, classic design`, usual[kind].classic / 1e3, 'µs', usual[kind].classic / usual[kind].bare);
      row(`${call}, hook, tools shipped as files, no tool running`, frames[kind].outside / 1e3, 'µs', frames[kind].outside / frames[kind].bare);
    }
    const starts = measureStarts(folder, policy, joined);
    row('start of node, bare', starts.bare, 'ms', 0);
    row('start of node, hook', starts.bare + starts.hook, 'ms', starts.hook, GOALS.start);
    row('start of node, hook in single files', starts.bare + starts.files, 'ms', starts.files);
    row('start of node, classic design', starts.bare + starts.classic, 'ms', starts.classic);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  process.exitCode = missed > 0 ? 1 : 0;
}

const [, , policy, mode, names, frames] = process.argv; // in place of the mode: where js/ lies joined
if (mode === '--calls') process.stdout.write(JSON.stringify(await measureCalls(policy, names.split(','), frames)));
else main(policy, mode);
