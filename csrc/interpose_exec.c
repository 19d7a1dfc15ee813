/* The exported wrappers that start programs, and nothing else. */
#include <stdarg.h>
#include <unistd.h>

#include "exec.h"
#include "real.h"
#include "spawn.h"
#include "syscall.h"

#define VAULT_EXPORT __attribute__((visibility("default")))

/* The arguments of execl and its kin as an array on the stack. Their last one is NULL, which counts. */
static int count_arguments(va_list words)
{
	int count = 2;

	while (va_arg(words, char *))
		count++;
	return count;
}

static char **take_arguments(const char *first, va_list *words, char **out)
{
	char **next = out;

	for (*next = (char *)first; *next; *next = va_arg(*words, char *))
		next++;
	return out;
}

VAULT_EXPORT int execve(const char *path, char *const argv[], char *const environment[])
{
	return vault_execve(path, argv, environment);
}

VAULT_EXPORT int execv(const char *path, char *const argv[])
{
	return vault_execve(path, argv, environ);
}

VAULT_EXPORT int execvpe(const char *file, char *const argv[], char *const environment[])
{
	NEED(execvpe);
	return vault_execvpe(file, argv, environment);
}

VAULT_EXPORT int execvp(const char *file, char *const argv[])
{
	NEED(execvpe);
	return vault_execvpe(file, argv, environ);
}

VAULT_EXPORT int execl(const char *path, const char *first, ...)
{
	va_list words;

	va_start(words, first);
	char *argv[count_arguments(words)];
	va_end(words);
	va_start(words, first);
	take_arguments(first, &words, argv);
	va_end(words);
	return vault_execve(path, argv, environ);
}

VAULT_EXPORT int execlp(const char *file, const char *first, ...)
{
	va_list words;

	va_start(words, first);
	char *argv[count_arguments(words)];
	va_end(words);
	va_start(words, first);
	take_arguments(first, &words, argv);
	va_end(words);
	NEED(execvpe);
	return vault_execvpe(file, argv, environ);
}

VAULT_EXPORT int execle(const char *path, const char *first, ...)
{
	va_list words;
	char *const *environment;

	va_start(words, first);
	char *argv[count_arguments(words)];
	va_end(words);
	va_start(words, first);
	take_arguments(first, &words, argv);
	environment = va_arg(words, char *const *);
	va_end(words);
	return vault_execve(path, argv, environment);
}

VAULT_EXPORT int fexecve(int fd, char *const argv[], char *const environment[])
{
	return vault_execveat(fd, "", argv, environment, AT_EMPTY_PATH);
}

VAULT_EXPORT int execveat(int dir, const char *path, char *const argv[], char *const environment[], int flags)
{
	return vault_execveat(dir, path, argv, environment, flags);
}

VAULT_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
			     const posix_spawnattr_t *attributes, char *const argv[], char *const environment[])
{
	NEED(posix_spawn);
	if (!vault_starts_tools())
		return real.posix_spawn(pid, path, actions, attributes, argv, environment);
	return vault_spawn(real.posix_spawn, pid, path, actions, attributes, argv, environment);
}

VAULT_EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			      const posix_spawnattr_t *attributes, char *const argv[], char *const environment[])
{
	NEED(posix_spawnp);
	if (!vault_starts_tools())
		return real.posix_spawnp(pid, file, actions, attributes, argv, environment);
	return vault_spawn(real.posix_spawnp, pid, file, actions, attributes, argv, environment);
}

VAULT_EXPORT int pidfd_spawn(int *fd, const char *path, const posix_spawn_file_actions_t *actions,
			     const posix_spawnattr_t *attributes, char *const argv[], char *const environment[])
{
	NEED(pidfd_spawn);
	if (!vault_starts_tools())
		return real.pidfd_spawn(fd, path, actions, attributes, argv, environment);
	return vault_spawn(real.pidfd_spawn, fd, path, actions, attributes, argv, environment);
}

VAULT_EXPORT int pidfd_spawnp(int *fd, const char *file, const posix_spawn_file_actions_t *actions,
			      const posix_spawnattr_t *attributes, char *const argv[], char *const environment[])
{
	NEED(pidfd_spawnp);
	if (!vault_starts_tools())
		return real.pidfd_spawnp(fd, file, actions, attributes, argv, environment);
	return vault_spawn(real.pidfd_spawnp, fd, file, actions, attributes, argv, environment);
}

VAULT_EXPORT FILE *popen(const char *command, const char *type)
{
	NEED(popen);
	return vault_starts_tools() ? vault_popen(command, type) : real.popen(command, type);
}

VAULT_EXPORT int system(const char *command)
{
	NEED(system);
	return vault_starts_tools() ? vault_system(command) : real.system(command);
}

VAULT_EXPORT int wordexp(const char *words, wordexp_t *result, int flags)
{
	NEED(wordexp);
	return vault_starts_tools() ? vault_wordexp(words, result, flags) : real.wordexp(words, result, flags);
}

VAULT_EXPORT long syscall(long number, ...)
{
	va_list words;
	long a[6];

	va_start(words, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(words, long);
	va_end(words);
	return vault_syscall(number, a);
}
