/* The record of what the libc layer denied: one JSON line each, in the file that the policy names. */
#ifndef AGENTBOX_AUDIT_H
#define AGENTBOX_AUDIT_H

#include <stdbool.h>

enum { VAULT_AUDIT_MAX = 1024 * 1024 };	/* bytes; a full file takes no more lines */

/* Records the denial, sets errno to EACCES and returns false. */
bool vault_deny(const char *operation, const char *path, const char *rule);

#endif
