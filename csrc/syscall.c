#include <errno.h>

#include "exec.h"
#include "guard.h"
#include "sys.h"
#include "syscall.h"

enum { OPENAT2 = 437 };	/* older headers lack it */

struct open_how {
	unsigned long flags;
};

static bool may(long number, const long a[6])
{
	switch (number) {
#ifdef SYS_open
	case SYS_open:
		return vault_may_open("open", AT_FDCWD, (const char *)a[0], (int)a[1]);
	case SYS_creat:
		return vault_may_open("creat", AT_FDCWD, (const char *)a[0], O_CREAT | O_WRONLY | O_TRUNC);
#endif
	case SYS_openat:
		return vault_may_open("openat", (int)a[0], (const char *)a[1], (int)a[2]);
	case OPENAT2:
		return !a[2] || vault_may_open("openat2", (int)a[0], (const char *)a[1],
					       (int)((const struct open_how *)a[2])->flags);
	default:
		return true;
	}
}

long vault_syscall(long number, const long a[6])
{
	long result;

	if (number == SYS_execve)
		return vault_execve((const char *)a[0], (char *const *)a[1], (char *const *)a[2]);
	if (number == SYS_execveat)
		return vault_execveat((int)a[0], (const char *)a[1], (char *const *)a[2], (char *const *)a[3], (int)a[4]);
	if (!may(number, a))
		return -1;
	result = sys_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
}
