// Path arguments of tool calls.

import { homedir } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

// Arguments that name files, by what tools call them. Others (a search text, a commit message) may hold ".env".
const PATH_ARGUMENT = /path|file|dir|folder|cwd|source|dest|target|root|uri|url/i;
const UNICODE_SPACES = /[\u00A0\u2000-\u200A\u202F\u205F\u3000]/g;
const MAX_DEPTH = 5;

/** As pi resolves what a model writes: ~ and @ prefixes, odd spaces, file: URLs, relative to the working folder. */
export function resolvePath(text, cwd) {
  let path = text.replace(UNICODE_SPACES, " ");
  if (path.startsWith("@")) path = path.slice(1);
  if (path.startsWith("file:")) {
    try {
      path = fileURLToPath(path);
    } catch {
      // Not a file URL after all: a name with a colon.
    }
  }
  if (path === "~" || path.startsWith("~/")) path = homedir() + path.slice(1);
  return resolve(cwd, path);
}

/** The error for the first path argument that is protected (from changes, if the tool makes some), or null. */
export function checkInput(toolName, input, cwd, firewall, changes, key = "", depth = 0) {
  if (typeof input === "string") {
    if (!PATH_ARGUMENT.test(key) || input.includes("\0")) return null;
    return firewall.check(toolName, resolvePath(input, cwd), changes);
  }
  if (input === null || typeof input !== "object" || depth > MAX_DEPTH) return null;
  for (const [name, value] of Object.entries(input)) {
    const denied = checkInput(toolName, value, cwd, firewall, changes, Array.isArray(input) ? key : name, depth + 1);
    if (denied !== null) return denied;
  }
  return null;
}
