// says: A child without NODE_OPTIONS, which would load the firewall.
// stopped by: vault
// proof: canary
// source: NODE_OPTIONS override
import { spawnSync } from "node:child_process";
const code = `console.log(require("fs").readFileSync(${JSON.stringify(process.env.SECRET)}, "utf8"))`;
console.log(String(spawnSync(process.execPath, ["-e", code], { env: {} }).stdout));
