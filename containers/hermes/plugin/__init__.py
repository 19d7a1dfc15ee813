"""agentbox-guard: asks the guard before each tool call of Hermes, and vetoes it with one sentence.

Made for Hermes 0.19. Hermes logs what a plugin raises and goes on, so nothing is raised here: without its policy Hermes
does not start, and a call that cannot be judged is refused.
"""

import os
import sys
from typing import Any

sys.path.insert(0, "/usr/local/lib/agentbox/guard")


def fail(cause: object) -> None:
    hint = "Hint: start Hermes through agentbox, in the version that it pins"
    print(f"agentbox: cannot guard the tools of Hermes: {cause}. {hint}", file=sys.stderr, flush=True)
    os._exit(125)


def register(ctx: Any) -> None:
    try:
        import agentbox_guard

        guard = agentbox_guard.load()
    except Exception as error:
        fail(error)

    def before(tool_name: str = "", args: Any = None, task_id: str = "", **_: Any) -> dict[str, str] | None:
        try:
            # The folder that relative paths start from: a `cd` in the terminal tool moves it.
            from tools.file_tools import _resolve_base_dir

            reason = guard.refusal(tool_name, args or {}, str(_resolve_base_dir(task_id or "default")))
        except Exception as error:
            reason = f"agentbox: the guard failed: {type(error).__name__}: {error}"
        return {"action": "block", "message": reason} if reason else None

    ctx.register_hook("pre_tool_call", before)
