// A stand-in for an agent on Node or Bun: agent.js HOW PROGRAM. Reads its credential, then starts PROGRAM as HOW says.
const fs = require('fs')
const cp = require('child_process')

const credential = '/mnt/agent/auth.json'
const [how, program, ...args] = process.argv.slice(2)
const options = { stdio: 'inherit' }

const asynchronous = {
  spawn: () => cp.spawn(program, args, options),
  spawn_detached: () => cp.spawn(program, args, { ...options, detached: true }),
  spawn_shell: () => cp.spawn(program, args, { ...options, shell: true }),
  spawn_no_environment: () => cp.spawn(program, args, { ...options, env: {} }),
  exec: () => cp.exec(program, forward),
  execFile: () => cp.execFile(program, args, forward),
  fork: () => cp.fork(`${__dirname}/read.js`, [], { execArgv: [] }),
}

const synchronous = {
  spawnSync: () => cp.spawnSync(program, args, options).status,
  execSync: () => fails(() => cp.execSync(program, options)),
  execFileSync: () => fails(() => cp.execFileSync(program, args, options)),
}

function fails(run) {
  try { run(); return 0 } catch (error) { return error.status ?? 99 }
}

function forward(error, stdout) {
  process.stdout.write(stdout)
}

function bun() {
  if (how === 'bun_spawnSync') return Bun.spawnSync([program, ...args], { stdout: 'inherit', stderr: 'inherit' }).exitCode
  if (how === 'bun_spawn') return Bun.spawn([program, ...args], { stdout: 'inherit', stderr: 'inherit' }).exited
  return Bun.$`${program}`.nothrow().then((result) => result.exitCode)
}

function finish(status) {
  fs.readFileSync(credential)
  process.exitCode = status
}

fs.readFileSync(credential, 'utf8')
if (how === 'worker') {
  const { Worker } = require('worker_threads')
  const code = `require('child_process').spawnSync(${JSON.stringify(program)}, [], { stdio: 'inherit' }).status`
  const worker = new Worker(`require('worker_threads').parentPort.postMessage(${code})`, { eval: true, execArgv: [] })
  worker.once('message', finish)
} else if (how.startsWith('bun_')) {
  Promise.resolve(bun()).then(finish)
} else if (how in synchronous) {
  finish(synchronous[how]())
} else {
  asynchronous[how]().once('close', finish)
}
