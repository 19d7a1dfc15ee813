/* posix_spawn, popen, system and wordexp fork inside libc, where no wrapper sees the child. The agent hands each such call to a
 * thread that confines itself and then makes it; what it starts inherits the domain. */
#ifndef AGENTBOX_SPAWN_H
#define AGENTBOX_SPAWN_H

#include <spawn.h>
#include <stdio.h>
#include <wordexp.h>

typedef int vault_spawn_fn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
			   char *const *, char *const *);

int vault_spawn(vault_spawn_fn *spawn, pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attributes, char *const *argv, char *const *environment);
FILE *vault_popen(const char *command, const char *type);
int vault_system(const char *command);
int vault_wordexp(const char *words, wordexp_t *result, int flags);

#endif
