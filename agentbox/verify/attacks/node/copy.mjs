// says: fs.cpSync of the whole folder.
// stopped by: vault
// proof: canary
// source: fs.cp
import { cpSync, readFileSync, rmSync } from "node:fs";
import { dirname, basename } from "node:path";
cpSync(process.env.SECRET, "copied");
console.log(readFileSync("copied", "utf8"));
rmSync("copied");
