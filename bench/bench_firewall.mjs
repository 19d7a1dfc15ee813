// The cost of js/: fs.readFileSync of an unprotected file without the hook, with it outside tools, and inside a tool.
// All three take turns in one process; the originals are kept before the hook is installed.
//     node bench/bench_firewall.mjs
import fs from 'node:fs';
import { createRequire } from 'node:module';

const file = new URL(import.meta.url).pathname;
const bare = fs.readFileSync;
const { installFrom } = createRequire(import.meta.url)('../js/app-firewall.js');
const { runAsTool } = installFrom({
  version: 1, agent: 'pi', deny: ['auth.json', 'gh_*', '.secrets', '.env', '.pi/agent'], paths: ['/agent/pi/agent/auth.json'],
});
const hooked = fs.readFileSync;

const CALLS = 2000;
const ROUNDS = 60;
const time = (read) => {
  const start = process.hrtime.bigint();
  for (let i = 0; i < CALLS; i++) read(file);
  return Number(process.hrtime.bigint() - start) / CALLS;
};
const cases = { bare: () => time(bare), 'hook, outside tools': () => time(hooked), 'hook, inside a tool': () => runAsTool(() => time(hooked)) };
const samples = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round++) for (const [name, run] of Object.entries(cases)) samples[name].push(run());

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const base = median(samples.bare);
for (const [name, list] of Object.entries(samples)) {
  const value = median(list);
  console.log(`${name.padEnd(22)} ${(value / 1000).toFixed(2).padStart(7)} µs  ${(value / base).toFixed(2)}x`);
}
