#include "place.h"

#ifndef VAULT_POLICY_PATH
#define VAULT_POLICY_PATH "/etc/agentbox/vault.policy"
#endif

const char vault_policy_path[VAULT_PLACE_MAX] = VAULT_POLICY_PATH;
const char vault_probe_link[VAULT_PLACE_MAX] = "/etc/agentbox/probe";
