// Loaded into a second pi (prepare.sh). The vault's libc layer refuses the name auth.json to tools wherever it is, and pi takes a
// refusal for a broken store, where no file would mean no login. So what it keeps there has another name.
"use strict";
const fs = require("node:fs");
const { join } = require("node:path");
const { syncBuiltinESMExports } = require("node:module");

process.env.NODE_OPTIONS = process.env.AGENTBOX_NODE_OPTIONS;
delete process.env.AGENTBOX_NODE_OPTIONS;
if (!process.env.NODE_OPTIONS) delete process.env.NODE_OPTIONS;

const login = join(process.env.PI_CODING_AGENT_DIR, "auth.json");
const own = join(process.env.PI_CODING_AGENT_DIR, "login.json");

for (const name of ["existsSync", "readFileSync", "writeFileSync", "statSync", "chmodSync", "openSync"]) {
  const original = fs[name];
  fs[name] = (path, ...rest) => original(path === login ? own : path, ...rest);
}
syncBuiltinESMExports();
