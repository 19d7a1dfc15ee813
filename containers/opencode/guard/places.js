// Where a path that a model wrote may lead.

import { homedir } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

function fromUrl(text) {
  try {
    return [fileURLToPath(text)];
  } catch {
    return []; // a name with a colon
  }
}

/**
 * The absolute paths that a tool may make of it. One that knows no ~ opens a folder of that name, which another tool made. Some take
 * `..` as written before they open a path, others leave it to the kernel, which follows links first.
 */
export function placesOf(directory, text) {
  const spelled = [...new Set([text, text.trim()])].flatMap((path) => [
    path,
    ...(path.startsWith("file:") ? fromUrl(path) : []),
    ...(path === "~" || path.startsWith("~/") ? [homedir() + path.slice(1)] : []),
  ]);
  const absolute = spelled.map((path) => (path.startsWith("/") ? path : `${resolve(directory)}/${path}`));
  return [...new Set(absolute.flatMap((path) => [path, resolve(path)]))];
}
