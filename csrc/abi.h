/* What the running kernel's Landlock knows, and what stands in where it does not. Raw system calls and stack memory only, as in
 * domain.h. */
#ifndef AGENTBOX_ABI_H
#define AGENTBOX_ABI_H

#include <sys/types.h>

enum {
	VAULT_ABI_TRUNCATE = 3,
	VAULT_ABI_IOCTL_DEV = 5,
	VAULT_ABI_SCOPE = 6,
};

/* 0 where the kernel has no Landlock. */
int vault_landlock_abi(void);

/* Before VAULT_ABI_TRUNCATE: refuses the calling thread, for good, what empties a file without opening it for writing. Needs
 * no_new_privs. 0, or -errno. */
int vault_cover_truncation(void);

/* Before VAULT_ABI_SCOPE: refuses it, in the same way, the signal that opens the debugger of any Node process. */
int vault_cover_debuggers(void);

/* O_PATH, by an absolute path in which nothing is a symlink. A descriptor, or -errno. */
int vault_open_plain(const char *path);

/* truncate(2) in the way that is left then. 0, or -1 and errno. */
int vault_truncate(const char *path, off_t size);

#endif
