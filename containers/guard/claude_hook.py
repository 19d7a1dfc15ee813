"""Claude Code's PreToolUse hook: reads the call from stdin, and refuses it where it names a protected path.

To refuse is exit code 2, with the reason on stderr. Started by /etc/claude-code/managed-settings.json without a shell;
where anything fails here, the call is refused too.
"""

import json
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, "/usr/local/lib/agentbox/guard")

REFUSED = 2


def main() -> str | None:
    import agentbox_guard

    call = json.load(sys.stdin)
    arguments = call.get("tool_input")
    if not isinstance(arguments, dict):
        return "agentbox: a call without arguments"
    return agentbox_guard.load().refusal(str(call["tool_name"]), arguments, str(call["cwd"]))


try:
    reason = main()
except BaseException as error:
    reason = f"agentbox: the guard failed: {type(error).__name__}: {error}. Hint: start the agent through agentbox"
if reason:
    print(reason, file=sys.stderr)
    sys.exit(REFUSED)
