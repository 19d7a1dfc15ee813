/* The agent keeps one ruleset for the domains that it makes: putting one together takes most of the time that a domain does. */
#ifndef AGENTBOX_KEEP_H
#define AGENTBOX_KEEP_H

#include <stdbool.h>

/* Once, in the agent. */
void vault_keep_begin(void);

/* Brings the kept ruleset up to date. The agent's, before it starts a process. */
void vault_keep_current(void);

/* Confines the calling thread by the kept ruleset, if that is still what a new one would be. */
bool vault_enter_kept(void);

#endif
