// agentbox-guard: runs pi's own file tools inside the tool context of js/app-firewall.js, and blocks a tool call that
// names a protected path with a message that says why. Loaded by the entrypoint with --extension, before the user's own
// extensions. Made for pi 0.87; where an assumption about pi's API no longer holds, pi ends with 125 and one line
// instead of running its tools unguarded.
//
// What pi lets an extension do, and hence what is covered:
//   read, write, edit, grep, find, ls   re-registered under their names: every file access runs in the tool context
//   bash, powershell                    left alone: what they start is a process, and the kernel vault confines it
//   tools of other extensions           pi shows their names, not their code. Path arguments are checked; their code can
//                                       opt in: process[Symbol.for("agentbox.firewall")].runAsTool(() => …)

import { AsyncResource } from "node:async_hooks";
import * as host from "@earendil-works/pi-coding-agent";
import { checkInput, resolvePath } from "./arguments.js";
import { hideProtectedMatches } from "./matches.js";

const GUARDED = {
  read: "createReadToolDefinition",
  write: "createWriteToolDefinition",
  edit: "createEditToolDefinition",
  grep: "createGrepToolDefinition",
  find: "createFindToolDefinition",
  ls: "createLsToolDefinition",
};
const SPAWNING = ["bash", "powershell"];

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

/** The built-in tool of that name, as pi would have made it, with execute() inside the tool context. */
function guardedTool(name, firewall, ctx) {
  const settings = host.SettingsManager.create(ctx.cwd, host.getAgentDir());
  const options = name === "read" ? { autoResizeImages: settings.getImageAutoResize() } : undefined;
  const tool = host[GUARDED[name]](ctx.cwd, options);
  if (tool?.name !== name || typeof tool.execute !== "function") fail(`${GUARDED[name]}() returned no tool "${name}" with execute()`);
  const original = tool.execute;
  tool.execute = async (id, input, signal, onUpdate, toolCtx) => {
    const report = onUpdate && AsyncResource.bind(onUpdate); // progress goes to pi itself, which is no tool
    const result = await firewall.runAsTool(() => original.call(tool, id, input, signal, report, toolCtx));
    if (name !== "grep") return result;
    return hideProtectedMatches(result, resolvePath(input.path || ".", toolCtx?.cwd ?? ctx.cwd), firewall);
  };
  return tool;
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
  return after.filter((tool) => !guarded.has(tool.name) && !isBuiltIn(tool)).map((tool) => tool.name);
}

export default function agentboxGuard(pi) {
  const firewall = takeFirewall();
  requireFunctions(pi, "the extension API", ["on", "registerTool", "getAllTools"]);
  requireFunctions(host, "the package", [...Object.values(GUARDED), "getAgentDir"]);
  requireFunctions(host.SettingsManager, "SettingsManager", ["create"]);
  const guarded = new Set();
  let started = false;

  pi.on("session_start", (event, ctx) => {
    try {
      const foreign = guardTools(pi, firewall, ctx, guarded);
      started = true;
      if (foreign.length === 0) return;
      const notice = `agentbox: of tools of other extensions (${foreign.join(", ")}) only the path arguments are checked`;
      if (ctx.hasUI) ctx.ui.notify(notice, "warning");
      else process.stderr.write(`${notice}\n`);
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
    const denied = checkInput(event.toolName, event.input, ctx.cwd, firewall);
    return denied === null ? undefined : { block: true, reason: denied.message };
  });
}
