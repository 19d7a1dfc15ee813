// agentbox-guard: runs pi's own file tools inside the tool context of js/app-firewall.js, and blocks a tool call that
// names a protected path with a message that says why. Loaded by the entrypoint with --extension, before the user's own
// extensions. Made for pi 0.87; where an assumption about pi's API no longer holds, pi ends with 125 and one line
// instead of running its tools unguarded.
//
// What is covered:
//   read, write, edit, grep, find, ls   re-registered under their names: every file access runs in the tool context
//   tools of other extensions           wrapped where pi collects them (ExtensionRunner), so they run in it too
//   bash, powershell of pi itself       left alone: what they start is a process, and the kernel vault confines it
// Path arguments are checked beforehand as well, because the refusal then comes as one sentence and nothing has begun.

import { AsyncResource } from "node:async_hooks";
import { existsSync } from "node:fs";
import { checkInput, resolvePath } from "./arguments.js";
import { hideProtectedMatches } from "./matches.js";

// pi's own module, under the name it has now or had before 0.74.
const host = await import("@earendil-works/pi-coding-agent").catch(() => import("@mariozechner/pi-coding-agent"));

const GUARDED = {
  read: "createReadToolDefinition",
  write: "createWriteToolDefinition",
  edit: "createEditToolDefinition",
  grep: "createGrepToolDefinition",
  find: "createFindToolDefinition",
  ls: "createLsToolDefinition",
};
const CHANGING = ["write", "edit"];
const SPAWNING = ["bash", "powershell"];
const WRAPPED = Symbol.for("agentbox.guard.wrapped");

function fail(cause) {
  process.stderr.write(`agentbox: agentbox-guard cannot guard the tools of pi ${host.VERSION ?? "(unknown version)"}: ${cause}. `
    + "Hint: use the pi version that this agentbox pins, or update agentbox\n");
  process.exit(125);
}

function takeFirewall() {
  const firewall = process[Symbol.for("agentbox.firewall")];
  if (firewall === undefined) fail("js/app-firewall.js is not loaded in this process");
  if (firewall.version !== 2) fail(`js/app-firewall.js speaks version ${firewall.version}, this extension 2`);
  return firewall;
}

function requireFunctions(object, what, names) {
  for (const name of names) if (typeof object?.[name] !== "function") fail(`${what} has no ${name}()`);
}

/** `tool` with execute() inside the tool context. `this` is the tool as it was: some keep state of their own in it. */
function inContext(tool, firewall, finish = (result) => result) {
  const execute = async (id, input, signal, onUpdate, ctx) => {
    const report = onUpdate && AsyncResource.bind(onUpdate); // progress goes to pi itself, which is no tool
    return finish(await firewall.runAsTool(() => tool.execute.call(tool, id, input, signal, report, ctx)), input, ctx);
  };
  return Object.assign(Object.create(Object.getPrototypeOf(tool), Object.getOwnPropertyDescriptors(tool)), { execute, [WRAPPED]: true });
}

/** The built-in tool of that name, as pi would have made it, in the tool context. */
function guardedTool(name, firewall, session) {
  const settings = host.SettingsManager.create(session.cwd, host.getAgentDir());
  const options = name === "read" ? { autoResizeImages: settings.getImageAutoResize() } : undefined;
  const tool = host[GUARDED[name]](session.cwd, options);
  if (tool?.name !== name || typeof tool.execute !== "function") fail(`${GUARDED[name]}() returned no tool "${name}" with execute()`);
  if (name !== "grep") return inContext(tool, firewall);
  const hide = (result, input, ctx) => hideProtectedMatches(result, resolvePath(input.path || ".", ctx?.cwd ?? session.cwd), firewall);
  return inContext(tool, firewall, hide);
}

/** Has the tools of all extensions wrapped where pi collects them; once, whatever reloads this file. */
function guardForeignTools(firewall) {
  const { prototype } = host.ExtensionRunner;
  const collect = prototype.getAllRegisteredTools;
  if (collect[WRAPPED]) return;
  const known = new WeakMap(); // pi compares definitions, so each keeps its one wrapped form
  const wrap = (entry) => {
    const tool = entry.definition;
    if (tool[WRAPPED]) return entry;
    if (!known.has(tool)) known.set(tool, inContext(tool, firewall));
    return { ...entry, definition: known.get(tool) };
  };
  const collectWrapped = function () {
    return collect.call(this).map(wrap);
  };
  prototype.getAllRegisteredTools = Object.assign(collectWrapped, { [WRAPPED]: true });
}

const isBuiltIn = (tool) => tool.sourceInfo?.source === "builtin";

/** Re-registers the built-in tools that no other extension has replaced; registering late leaves the active set alone. */
function guardTools(pi, firewall, ctx, guarded) {
  const before = pi.getAllTools();
  if (before.some((tool) => tool.sourceInfo === undefined)) fail("getAllTools() does not say where a tool comes from");
  for (const tool of before) {
    if (!(tool.name in GUARDED) || !isBuiltIn(tool)) continue;
    pi.registerTool(guardedTool(tool.name, firewall, ctx));
    guarded.add(tool.name);
  }
  const after = pi.getAllTools();
  for (const name of guarded) {
    const tool = after.find((candidate) => candidate.name === name);
    if (tool === undefined || isBuiltIn(tool)) fail(`registerTool() did not replace the built-in tool "${name}"`);
  }
}

// Where pi's extensions find the program to start another pi (containers/base/second.sh).
const SECOND = "/usr/local/lib/agentbox/second/start.cjs";

export default function agentboxGuard(pi) {
  if (existsSync(SECOND)) process.argv[1] = SECOND;
  const firewall = takeFirewall();
  requireFunctions(pi, "the extension API", ["on", "registerTool", "getAllTools"]);
  requireFunctions(host, "the package", [...Object.values(GUARDED), "getAgentDir"]);
  requireFunctions(host.SettingsManager, "SettingsManager", ["create"]);
  requireFunctions(host.ExtensionRunner?.prototype, "ExtensionRunner", ["getAllRegisteredTools"]);
  guardForeignTools(firewall);
  const guarded = new Set();
  let started = false;

  pi.on("session_start", (event, ctx) => {
    try {
      guardTools(pi, firewall, ctx, guarded);
      started = true;
    } catch (error) {
      fail(`session_start: ${error.message}`);
    }
  });

  pi.on("tool_call", (event, ctx) => {
    if (!started) fail("a tool was called before session_start");
    if (SPAWNING.includes(event.toolName)) return undefined;
    const tool = pi.getAllTools().find((candidate) => candidate.name === event.toolName);
    if (tool === undefined || (isBuiltIn(tool) && !guarded.has(event.toolName))) {
      return { block: true, reason: `agentbox: the tool "${event.toolName}" of this pi version is not known to agentbox-guard, and is not run unguarded. Hint: update agentbox, or use the shell tool` };
    }
    const denied = checkInput(event.toolName, event.input, ctx.cwd, firewall, CHANGING.includes(event.toolName));
    return denied === null ? undefined : { block: true, reason: denied.message };
  });
}
