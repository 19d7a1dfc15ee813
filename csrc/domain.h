/* The Landlock domain of a tool process. Raw system calls and stack memory only: this runs before main(), and in a vforked
 * child whose memory is the agent's. */
#ifndef AGENTBOX_DOMAIN_H
#define AGENTBOX_DOMAIN_H

#include "abi.h"
#include "vault.h"

/* A file of the image directly in the vault's tree, readable for all and granted to no domain: whoever cannot open it is
 * confined already. Only root could take it away, and then the one effect is a second, equal layer. A link to it
 * (place.h) is where a process that has no policy yet finds it. */
#define VAULT_PROBE ".probe"

bool vault_is_confined(void);

/* The entries of /, as getdents64 gives them. */
struct vault_listing {
	long len;	/* bytes; 0 where they did not fit */
	char entries[4096 - sizeof(long)] __attribute__((aligned(8)));
};

/* Lists / for the domains to come: on an overlay that takes longer than the rest of a domain. What appears in / later is not
 * granted, which only root could bring about. */
void vault_list_root(struct vault_listing *out);

struct vault_sight;

/* The ruleset of a tool's domain, a descriptor. Notes in `sight` what it was made from, where that is not NULL. `root` may be
 * NULL. -errno on failure. */
int vault_make_ruleset(const struct vault_policy *policy, int abi, const struct vault_listing *root, struct vault_sight *sight);

/* Confines the calling thread by the ruleset, for good. 0, or -errno and nothing is changed but no_new_privs. */
int vault_enter(int ruleset);

/* Both in one. */
int vault_confine(const struct vault_policy *policy, int abi, const struct vault_listing *root);

#endif
