// says: process.binding, below everything that could be patched.
// stopped by: vault
// proof: canary
// source: process.binding
import { readSync } from "node:fs";
const buffer = Buffer.alloc(4096);
readSync(process.binding("fs").open(process.env.SECRET, 0, 0o666), buffer);
console.log(String(buffer).replaceAll("\0", ""));
