// What the arguments of a call name as files.

// By what tools call them; others (a search text, a commit message) may hold ".env".
const PATH_ARGUMENT = /path|file|dir|folder|cwd|source|dest|target|root|uri|url/i;
// Those of them that are a path and nothing else, however long and with whatever line ends in it: `x\n/../key` names key.
const PATH_ALONE = /(?:path|file|file_?name|dir|directory|folder|cwd|root|uri|url)s?$/i;
const ROOTED = /^(?:\/|~|file:)/;
const PATCHED = /^\s*(?:\*\*\*\s*(?:(?:Add|Update|Delete) File|Move to):|(?:---|\+\+\+|rename to|copy to)\s)\s*(?:([ab]\/.+?)|(.+?))\s*$/gm;
const MENTIONED = /@([^\s`,]+)/g;
const MAX_DEPTH = 5;
const LONGEST = 4096;

/** Path arguments, values that look like an absolute path, and the files that a patch changes. */
export function namedPaths(value, key = "", depth = 0) {
  if (typeof value === "string") {
    const found = [...value.matchAll(PATCHED)].flatMap(([, prefixed, plain]) => (plain === undefined ? [prefixed, prefixed.slice(2)] : [plain]));
    const isShort = value.length < LONGEST && !value.includes("\n") && (PATH_ARGUMENT.test(key) || ROOTED.test(value));
    if (value !== "" && (isShort || PATH_ALONE.test(key))) found.push(value.replaceAll("\0", ""), value.split("\0")[0]);
    return found;
  }
  if (value === null || typeof value !== "object" || depth > MAX_DEPTH) return [];
  return Object.entries(value).flatMap(([name, item]) => namedPaths(item, Array.isArray(value) ? key : name, depth + 1));
}

/** Every way to read the @mentions of a text: punctuation may or may not belong to the name. */
export function mentionedPaths(text) {
  if (typeof text !== "string") return [];
  return [...text.matchAll(MENTIONED)].flatMap(([, word]) => [word, ...[...word.matchAll(/[^\w/-]/g)].map(({ index }) => word.slice(0, index))])
    .filter((word) => word !== "");
}
