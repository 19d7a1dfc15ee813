"""Prints what Claude Code is given with --settings: where its key goes, and the guard's rules where no managed settings
of the system's hold them.

A project's .claude/settings.json may set any variable, and a tool may have written it; what --settings says comes
before it. The values are those of the user's own settings (the argument), or else of the environment.
"""

import json
import os
import sys

ADDRESSES = (
    "ANTHROPIC_BASE_URL ANTHROPIC_UNIX_SOCKET CLAUDE_CODE_API_BASE_URL CLAUDE_CODE_CUSTOM_OAUTH_URL "
    "CLAUDE_LOCAL_OAUTH_API_BASE USE_LOCAL_OAUTH USE_STAGING_OAUTH CLAUDE_CODE_RUNNER_MODEL_SOCKET "
    "CLAUDE_CODE_PROXY_URL CLAUDE_CODE_PROXY_HOST CLAUDE_CODE_HTTP_PROXY CLAUDE_CODE_HTTPS_PROXY HTTP_PROXY "
    "HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED"
).split()
DEFAULTS = {"ANTHROPIC_BASE_URL": "https://api.anthropic.com"}
OF_THE_SYSTEM = "/etc/claude-code/managed-settings.json"
RENDERED = "/etc/agentbox/managed-settings.json"


def own_variables(path):
    try:
        with open(path, "rb") as file:
            found = json.load(file).get("env")
    except (OSError, ValueError, AttributeError):
        found = None
    return found if isinstance(found, dict) else {}


def main():
    own = own_variables(sys.argv[1])
    values = {name: own.get(name, os.environ.get(name, DEFAULTS.get(name, ""))) for name in ADDRESSES}
    settings = {"env": values}
    if not os.path.exists(OF_THE_SYSTEM):
        with open(RENDERED, "rb") as file:
            settings |= json.load(file)
        settings["disableAllHooks"] = False
    print(json.dumps(settings))


main()
