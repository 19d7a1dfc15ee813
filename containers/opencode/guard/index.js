// agentbox-guard: refuses opencode's own tools what js/ protects, by real path, before they run. Loaded by the managed
// configuration (/etc/opencode), which denies every tool; this plugin takes that back, so that without it none runs.
// Made for opencode 1.18. A plugin's error is only logged by opencode: where this one cannot work, opencode ends with 125.

import { createRequire } from "node:module";
import { mentionedPaths, namedPaths } from "./arguments.js";
import { placesOf } from "./places.js";

const LIBRARY = "/usr/local/lib/agentbox/js";
const DENY_ALL = "**";
// Tools that put the content of what a prompt mentions as @path before another model.
const MENTIONING = { task: "prompt" };

function fail(cause) {
  process.stderr.write(`agentbox: cannot guard the tools of opencode: ${cause}. Hint: start opencode through agentbox, in the version that it pins\n`);
  process.exit(125);
}

/** The policy's lists of tools, and a function from tool, path as written and absolute path to an error, or null. */
function loadGuard() {
  const require = createRequire(import.meta.url);
  const { loadPolicy, parsePolicy } = require(`${LIBRARY}/policy.js`);
  const { Guard, denial } = require(`${LIBRARY}/guard.js`);
  const { READ, CHANGE } = require(`${LIBRARY}/rules.js`);
  const policy = loadPolicy();
  for (const key of ["readers", "spawners"]) {
    if (!Array.isArray(policy[key])) throw new Error(`firewall.json: "${key}" is not a list`);
  }
  const guard = new Guard();
  guard.add(parsePolicy(policy));
  const judge = (tool, text, path) => {
    const found = guard.check(path, policy.readers.includes(tool) ? READ : CHANGE);
    return found === null ? null : denial(tool, text, found);
  };
  return { spawners: policy.spawners, judge };
}

function refusal(tool, args, { directory, worktree }, { spawners, judge }) {
  if (spawners.includes(tool)) return null;
  // opencode takes a relative path from the folder, and a mention from the root of its repository, or / where there is none.
  const named = namedPaths(args).map((text) => [text, directory]);
  const mentioned = mentionedPaths(args[MENTIONING[tool]]).flatMap((text) => [[text, directory], [text, worktree]]);
  for (const [text, base] of [...named, ...mentioned]) {
    for (const path of placesOf(base, text)) {
      const denied = judge(tool, text, path);
      if (denied !== null) return denied;
    }
  }
  return null;
}

export const AgentboxGuard = async ({ directory, worktree }) => {
  let guard;
  try {
    guard = loadGuard();
  } catch (error) {
    fail(error.message);
  }
  return {
    config: async (config) => {
      if (config.permission?.[DENY_ALL] !== "deny") fail("the managed configuration is not the last one that is merged");
      delete config.permission[DENY_ALL];
    },
    "tool.execute.before": async ({ tool }, { args }) => {
      const denied = refusal(tool, args ?? {}, { directory, worktree }, guard);
      if (denied !== null) throw denied;
    },
  };
};
