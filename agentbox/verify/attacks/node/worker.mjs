// says: A worker with an environment and options of its own.
// stopped by: vault
// proof: canary
// source: workers
import { Worker } from "node:worker_threads";
const code = 'console.log(require("fs").readFileSync(require("worker_threads").workerData, "utf8"))';
new Worker(code, { eval: true, env: {}, execArgv: [], workerData: process.env.SECRET });
