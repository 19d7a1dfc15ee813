/* Who this process is: the agent, a link of the chain that leads to it, or a tool. */
#ifndef AGENTBOX_IDENTITY_H
#define AGENTBOX_IDENTITY_H

#include "vault.h"

#define VAULT_MARKER "AGENTBOX_AGENT_PID"

enum vault_role { VAULT_TOOL = 0, VAULT_LINK, VAULT_AGENT };

enum vault_role vault_identify(const struct vault_policy *policy, char **environment);

/* Takes NAME out of an environment block, without allocation. */
void vault_forget(char **environment, const char *name);

/* Copies `environment` without what tools must not see. `out` has room for its size and a NULL, and may be the same block. */
char **vault_environment_for_tools(const struct vault_policy *policy, char *const *environment, char **out);

#endif
