// says: A read stream.
// stopped by: vault
// proof: canary
// source: createReadStream
import { createReadStream } from "node:fs";
for await (const part of createReadStream(process.env.SECRET, "utf8")) console.log(part);
