/* Reading the policy file into memory. */
#ifndef AGENTBOX_LOAD_H
#define AGENTBOX_LOAD_H

#include "vault.h"

/* Reads and parses the policy. A policy that is missing or malformed ends the process with 125 and one line. */
void vault_policy_load(struct vault_policy *policy);

#endif
