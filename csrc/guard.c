#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "guard.h"
#include "process.h"

mode_t vault_mode(int flags, va_list *arguments)
{
	bool given = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;

	return given ? va_arg(*arguments, mode_t) : 0;
}

static bool may(const char *operation, int dir, const char *path, enum vault_right needed)
{
	struct vault_verdict verdict;

	(void)operation;
	(void)dir;
	vault_ensure_ready();
	if (vault_process.role != VAULT_TOOL || !path)
		return true;
	verdict = vault_judge(&vault_process.policy, path);
	if (__builtin_expect(verdict.right >= needed, 1))
		return true;
	errno = EACCES;
	return false;
}

bool vault_may_open(const char *operation, int dir, const char *path, int flags)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));

	if ((flags & O_PATH) == O_PATH)
		writes = false;
	return may(operation, dir, path, writes ? VAULT_WRITE : VAULT_READ);
}

bool vault_may_fopen(const char *operation, const char *path, const char *mode)
{
	bool writes = mode && (mode[0] != 'r' || strchr(mode, '+'));

	return may(operation, AT_FDCWD, path, writes ? VAULT_WRITE : VAULT_READ);
}
