/* The libc layer's decisions: may this process do this to this path? */
#ifndef AGENTBOX_GUARD_H
#define AGENTBOX_GUARD_H

#include <stdarg.h>
#include <stdbool.h>
#include <sys/types.h>

/* The mode argument of an open, which is there only if the flags say so. */
mode_t vault_mode(int flags, va_list *arguments);

/* Each returns false with errno EACCES where the policy forbids it. NULL paths pass: the kernel has its own answer. */
bool vault_may_open(const char *operation, int dir, const char *path, int flags);
bool vault_may_fopen(const char *operation, const char *path, const char *mode);

#endif
