// says: A symlink, resolved by realpath.native.
// stopped by: vault
// proof: canary
// source: realpath.native
import fs from "node:fs";
fs.rmSync("link", { force: true });
fs.symlinkSync(process.env.SECRET, "link");
console.log(fs.readFileSync(fs.realpathSync.native("link"), "utf8"));
