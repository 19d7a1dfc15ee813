// says: fs.readFileSync.
// stopped by: vault
// proof: canary
// source: Node's file functions
import { readFileSync } from "node:fs";
console.log(readFileSync(process.env.SECRET, "utf8"));
