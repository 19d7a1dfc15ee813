/* All of this may run in a vforked child: no allocation, no lock, no write to memory other than its own stack and errno. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "domain.h"
#include "exec.h"
#include "keep.h"
#include "process.h"
#include "real.h"
#include "sys.h"

bool vault_starts_tools(void)
{
	vault_ensure_ready();
	if (vault_process.role == VAULT_TOOL)
		return false;
	return vault_process.role == VAULT_AGENT || sys_getpid() != vault_process.pid;
}

static int failed(long result)
{
	errno = (int)-result;
	return -1;
}

bool vault_confine_here(void)
{
	int result = 0;

	if (vault_process.abi && !vault_enter_kept())
		result = vault_confine(vault_policy(), vault_process.abi, vault_process.root);

	if (result < 0)
		failed(result);
	return result == 0;
}

static bool is_terminal(int fd)
{
	struct winsize size;

	return sys_call(SYS_ioctl, fd, TIOCGWINSZ, (long)&size, 0, 0, 0) == 0;
}

/* A program whose output somebody collects asks nobody anything. Where it has a terminal as input all the same, that is the
 * agent's, because nobody said otherwise, and what its user types next would be this program's to read. */
static void leave_terminal(void)
{
	int null;

	if (sys_getpid() == vault_process.pid || !is_terminal(0) || is_terminal(1) || is_terminal(2))
		return;
	null = sys_openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
	if (null < 0)
		return;
	sys_call(SYS_dup3, null, 0, 0, 0, 0, 0);
	sys_close(null);
}

/* Confines what is about to become a tool. */
static bool prepare_tool(void)
{
	leave_terminal();
	return vault_confine_here();
}

int vault_environment_size(char *const *environment)
{
	int count = 0;

	while (environment && environment[count])
		count++;
	return count;
}

static long raw_execveat(int dir, const char *path, char *const *argv, char *const *environment, int flags)
{
	return sys_call(SYS_execveat, dir, (long)path, (long)argv, (long)environment, flags, 0);
}

static long raw_execve(const char *path, char *const *argv, char *const *environment)
{
	return sys_call(SYS_execve, (long)path, (long)argv, (long)environment, 0, 0, 0);
}

/* Whether the kernel would start this at all. Asked first, and its refusal is final: a domain cannot be taken off again, and
 * programs try one directory of PATH after the other. */
static int executable(int dir, const char *path)
{
	return sys_access(dir, path, X_OK);
}

/* What syscall(2) hands over may be no pointer at all. */
static bool is_environment(char *const *environment)
{
	return !environment || sys_is_readable((long)environment);
}

int vault_execve(const char *path, char *const *argv, char *const *environment)
{
	long result;

	if (!vault_starts_tools())
		return failed(raw_execve(path, argv, environment));
	result = executable(AT_FDCWD, path);
	if (result == 0 && !is_environment(environment))
		result = -EFAULT;
	if (result < 0)
		return failed(result);
	if (!prepare_tool())
		return -1;
	char *kept[vault_environment_size(environment) + 1];

	return failed(raw_execve(path, argv, vault_environment_for_tools(vault_policy(), environment, kept)));
}

int vault_execveat(int dir, const char *path, char *const *argv, char *const *environment, int flags)
{
	if (!vault_starts_tools())
		return failed(raw_execveat(dir, path, argv, environment, flags));
	if (!is_environment(environment))
		return failed(-EFAULT);
	if (!prepare_tool())
		return -1;
	char *kept[vault_environment_size(environment) + 1];

	return failed(raw_execveat(dir, path, argv, vault_environment_for_tools(vault_policy(), environment, kept), flags));
}

/* The value of PATH as execvp sees it: in this process's environment, not in the new one. */
static const char *search_path(void)
{
	for (char **variable = environ; variable && *variable; variable++)
		if (strncmp(*variable, "PATH=", 5) == 0)
			return *variable + 5;
	return "/bin:/usr/bin";
}

static bool found_on_path(const char *file)
{
	char candidate[PATH_MAX];
	size_t len = strlen(file);

	for (const char *at = search_path(), *end;; at = end + 1) {
		size_t dir;

		end = strchrnul(at, ':');
		dir = (size_t)(end - at);
		if (dir + 1 + len < sizeof candidate) {
			memcpy(candidate, at, dir);
			candidate[dir] = '/';
			memcpy(candidate + dir + (dir > 0), file, len + 1);
			if (executable(AT_FDCWD, candidate) == 0)
				return true;
		}
		if (!*end)
			return false;
	}
}

int vault_execvpe(const char *file, char *const *argv, char *const *environment)
{
	int refused;

	if (!vault_starts_tools())
		return real.execvpe(file, argv, environment);
	refused = strchr(file, '/') || !*file ? executable(AT_FDCWD, file) : found_on_path(file) ? 0 : -ENOENT;
	if (refused)
		return failed(refused);
	if (!prepare_tool())
		return -1;
	char *kept[vault_environment_size(environment) + 1];

	return real.execvpe(file, argv, vault_environment_for_tools(vault_policy(), environment, kept));
}
