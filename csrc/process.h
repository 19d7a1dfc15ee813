/* What the interposer knows about the process that it is loaded into. */
#ifndef AGENTBOX_PROCESS_H
#define AGENTBOX_PROCESS_H

#include "identity.h"
#include "vault.h"

struct vault_process {
	int ready;		/* atomic: see vault_ensure_ready */
	enum vault_role role;
	bool kernel;		/* the kernel enforces the vault here, so the libc layer need not look behind a path's text */
	int abi;		/* Landlock's; 0 where the kernel has none. Not asked for where the process is confined already */
	int pid;		/* of the process that became ready; its (v)forked children have others */
	struct vault_policy policy;
};

extern struct vault_process vault_process;

/* Every wrapper's first step: another library's constructor may call it before ours ran. Idempotent, thread-safe. */
void vault_ensure_ready(void);

#endif
