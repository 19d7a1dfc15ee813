// says: A FileHandle of fs.promises.
// stopped by: vault
// proof: canary
// source: FileHandle
import { open } from "node:fs/promises";
const file = await open(process.env.SECRET);
console.log(await file.readFile("utf8"));
