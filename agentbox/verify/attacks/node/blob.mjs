// says: fs.openAsBlob.
// stopped by: vault
// proof: canary
// source: openAsBlob
import { openAsBlob } from "node:fs";
console.log(await (await openAsBlob(process.env.SECRET)).text());
