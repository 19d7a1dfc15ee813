/* What the interposer knows about the process that it is loaded into. */
#ifndef AGENTBOX_PROCESS_H
#define AGENTBOX_PROCESS_H

#include "domain.h"
#include "identity.h"
#include "vault.h"

enum { VAULT_NEW, VAULT_BUSY, VAULT_READY };

struct vault_process {
	int ready;		/* atomic; VAULT_READY when the rest is known */
	enum vault_role role;
	bool kernel;		/* the kernel enforces the vault here, so the libc layer need not look behind a path's text */
	int abi;		/* Landlock's; 0 where the kernel has none. Not asked for where the process is confined already */
	int pid;		/* of the process that became ready; its (v)forked children have others */
	const struct vault_listing *root;	/* of the agent and of links, for the domains that they make; else NULL */
	const struct vault_policy *policy;	/* NULL until somebody asks for it: see vault_policy */
};

extern struct vault_process vault_process;

void vault_become_ready(void);

/* Every wrapper's first step: another library's constructor may call it before ours ran. Idempotent, thread-safe. */
static inline void vault_ensure_ready(void)
{
	if (__builtin_expect(__atomic_load_n(&vault_process.ready, __ATOMIC_ACQUIRE) != VAULT_READY, 0))
		vault_become_ready();
}

const struct vault_policy *vault_policy_at_first(void);

/* The policy. In a process that is confined already nobody may ever ask, and every process that starts would pay for reading
 * it; so it is read at the first question. */
static inline const struct vault_policy *vault_policy(void)
{
	const struct vault_policy *known = __atomic_load_n(&vault_process.policy, __ATOMIC_ACQUIRE);

	return __builtin_expect(known != NULL, 1) ? known : vault_policy_at_first();
}

#endif
