#include <errno.h>

#include "abi.h"
#include "exec.h"
#include "guard.h"
#include "sys.h"
#include "syscall.h"

enum { OPEN_TREE = 428, OPENAT2 = 437 };	/* older headers lack them */

/* syscall() takes any address and the kernel answers EFAULT for a bad one: NULL then, which the guard lets pass. */
static const char *path_at(long address)
{
	return sys_is_readable(address) ? (const char *)address : NULL;
}

/* openat2's flags are in a structure that the kernel has yet to check. */
static bool may_openat2(const long a[6])
{
	bool there = a[3] >= 8 && sys_is_readable(a[2]) && sys_is_readable(a[2] + 7);
	int flags = there ? (int)*(const unsigned long *)a[2] : 0;

	return vault_may_open("openat2", (int)a[0], path_at(a[1]), &flags);
}

/* May change the flags among the arguments. */
static bool may(long number, long a[6])
{
	int flags;
	bool yes;

	switch (number) {
#ifdef SYS_open	/* x86-64 has the calls without a directory too */
	case SYS_open:
		flags = (int)a[1];
		yes = vault_may_open("open", AT_FDCWD, path_at(a[0]), &flags);
		a[1] = flags;
		return yes;
	case SYS_creat:
		return vault_may_change("creat", AT_FDCWD, path_at(a[0]));
	case SYS_unlink:
		return vault_may_name("unlink", AT_FDCWD, path_at(a[0]));
	case SYS_rename:
	case SYS_link:
		return vault_may_name("rename", AT_FDCWD, path_at(a[0])) && vault_may_name("rename", AT_FDCWD, path_at(a[1]));
#endif
	case SYS_openat:
		flags = (int)a[2];
		yes = vault_may_open("openat", (int)a[0], path_at(a[1]), &flags);
		a[2] = flags;
		return yes;
	case OPENAT2:
		return may_openat2(a);
	case OPEN_TREE:
		flags = O_PATH;
		return vault_may_open("open_tree", (int)a[0], path_at(a[1]), &flags);
	case SYS_truncate:
		return vault_may_change("truncate", AT_FDCWD, path_at(a[0]));
	case SYS_unlinkat:
		return vault_may_name("unlink", (int)a[0], path_at(a[1]));
	case SYS_linkat:
	case SYS_renameat2:
		return vault_may_name("rename", (int)a[0], path_at(a[1])) && vault_may_name("rename", (int)a[2], path_at(a[3]));
	default:
		return true;
	}
}

long vault_syscall(long number, long a[6])
{
	long result;

	if (number == SYS_execve)
		return vault_execve((const char *)a[0], (char *const *)a[1], (char *const *)a[2]);
	if (number == SYS_execveat)
		return vault_execveat((int)a[0], (const char *)a[1], (char *const *)a[2], (char *const *)a[3], (int)a[4]);
	if (!may(number, a))
		return -1;
	result = sys_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (number == SYS_truncate && result == -EACCES)
		return vault_truncate((const char *)a[0], a[1]);
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
}
