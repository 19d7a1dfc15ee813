/* The libc layer's decisions: may this process do this to this path? Without Landlock they are all that stands between a tool
 * and the agent's files; with it they name the denial before the kernel would. */
#ifndef AGENTBOX_GUARD_H
#define AGENTBOX_GUARD_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/types.h>

enum { VAULT_MODE_MAX = 32 };	/* bytes of an fopen mode that may need an addition */

/* The mode argument of an open, which is there only if the flags say so. */
static inline mode_t vault_mode(int flags, va_list *arguments)
{
	bool given = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;

	return given ? va_arg(*arguments, mode_t) : 0;
}

/* False, with errno EACCES, where the policy forbids to open the file so. Protected files that the agent opens get O_CLOEXEC:
 * what it starts must not inherit them. A NULL path passes: the kernel has its own answer. */
bool vault_may_open(const char *operation, int dir, const char *path, int *flags);

/* The same for an fopen mode: the mode to use (perhaps in `longer`), or NULL. */
const char *vault_may_fopen(const char *operation, const char *path, const char *mode, char longer[VAULT_MODE_MAX]);

/* May the file's content be changed? Follows symlinks, as truncate does. */
bool vault_may_change(const char *operation, int dir, const char *path);

/* May the name itself be made, removed or given away? Does not follow it. */
bool vault_may_name(const char *operation, int dir, const char *path);

#endif
