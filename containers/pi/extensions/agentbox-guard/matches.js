// pi's grep tool starts ripgrep with --hidden and prints its lines: `path:12: text`, context lines `path-11- text`. What a
// child process reads is not seen in this process, so the lines of protected files are taken out of the result.

import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";

const LINE_NUMBER = /[:-]\d+[:-] /g;

function baseOf(searchPath) {
  return statSync(searchPath, { throwIfNoEntry: false })?.isDirectory() ? searchPath : dirname(searchPath);
}

/** `result` without the lines of protected files, and with a note of how many there were. */
export function hideProtectedMatches(result, searchPath, firewall) {
  const base = baseOf(searchPath);
  const known = new Map();
  const isProtected = (name) => {
    if (!known.has(name)) known.set(name, firewall.check("grep", resolve(base, name)) !== null);
    return known.get(name);
  };
  // A path may itself look like `a:1: b`, so each place where it can end is tried.
  const isHidden = (line) => [...line.matchAll(LINE_NUMBER)].some((match) => isProtected(line.slice(0, match.index)));
  const filterText = (text) => {
    const lines = text.split("\n");
    const shown = lines.filter((line) => !isHidden(line));
    const hidden = lines.length - shown.length;
    if (hidden === 0) return text;
    return [...shown, `[agentbox: lines of protected files that are not shown: ${hidden}]`].join("\n");
  };
  const content = result.content.map((item) => (item.type === "text" ? { ...item, text: filterText(item.text) } : item));
  return { ...result, content };
}
