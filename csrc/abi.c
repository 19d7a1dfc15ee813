#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "abi.h"
#include "sys.h"

/* Older headers lack some of these. The numbers are the same on every architecture. */
enum { PIDFD_SEND_SIGNAL = 424, IO_URING_SETUP = 425, OPENAT2 = 437, CREATE_RULESET = 444, QUERY_ABI = 1 };

#if defined(__x86_64__)
#define THIS_MACHINE AUDIT_ARCH_X86_64
#define X32 0x40000000u	/* the bit that tells the calls of x32 */
#define OPEN SYS_open
#else
#define THIS_MACHINE AUDIT_ARCH_AARCH64
#define X32 0u
#define OPEN UINT32_MAX	/* there is openat alone */
#endif

int vault_landlock_abi(void)
{
	long abi = sys_call(CREATE_RULESET, 0, 0, QUERY_ABI, 0, 0, 0);

	return abi > 0 ? (int)abi : 0;
}

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define IF(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define IF_ANY(bits, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, yes, no)
#define KEEP(bits) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define REFUSE(error) RETURN(SECCOMP_RET_ERRNO | (error))

/* How both filters begin, and with the call's number in hand: another architecture's calls are refused. Both that we know are
 * little-endian, so that an argument's low half comes first. */
#define OWN_CALLS \
	LOAD(arch), IF(THIS_MACHINE, 1, 0), REFUSE(EPERM), \
	LOAD(nr), IF_ANY(X32, 0, 1), REFUSE(EPERM)

/* Before VAULT_ABI_TRUNCATE the kernel asks Landlock when a file is opened, for what it is opened for: truncate(2) opens nothing,
 * and O_TRUNC empties also what is opened to read, or (with both bits of O_ACCMODE) for neither. openat2's flags are in memory,
 * where a filter cannot look, and io_uring opens without a call: callers know both to be missing. */
static const struct sock_filter no_truncation[] = {
	OWN_CALLS,
	IF(SYS_openat, 7, 0),
	IF(SYS_truncate, 13, 0),
	IF(OPENAT2, 11, 0),
	IF(IO_URING_SETUP, 10, 0),
	IF(OPEN, 1, 0),
	RETURN(SECCOMP_RET_ALLOW),
	LOAD(args[1]),
	BPF_STMT(BPF_JMP | BPF_JA, 1),
	LOAD(args[2]),
	IF_ANY(O_TRUNC, 0, 3),
	KEEP(O_ACCMODE),
	IF(O_WRONLY, 1, 0),
	IF(O_RDWR, 0, 2),
	RETURN(SECCOMP_RET_ALLOW),
	REFUSE(ENOSYS),
	REFUSE(EACCES),
};

/* Before VAULT_ABI_SCOPE Landlock does not know signals. This one opens a debugger in a Node process, which then does what it is
 * told; F_SETSIG lets the kernel send it. */
static const struct sock_filter no_debugger[] = {
	OWN_CALLS,
	IF(SYS_kill, 11, 0),
	IF(SYS_tkill, 10, 0),
	IF(SYS_rt_sigqueueinfo, 9, 0),
	IF(PIDFD_SEND_SIGNAL, 8, 0),
	IF(SYS_tgkill, 5, 0),
	IF(SYS_rt_tgsigqueueinfo, 4, 0),
	IF(SYS_fcntl, 1, 0),
	RETURN(SECCOMP_RET_ALLOW),
	LOAD(args[1]),
	IF(F_SETSIG, 0, 4),
	LOAD(args[2]),
	BPF_STMT(BPF_JMP | BPF_JA, 1),
	LOAD(args[1]),
	IF(SIGUSR1, 1, 0),
	RETURN(SECCOMP_RET_ALLOW),
	REFUSE(EPERM),
};

static int filter(const struct sock_filter *code, size_t size)
{
	struct sock_fprog program = {(unsigned short)(size / sizeof *code), (struct sock_filter *)code};

	return (int)sys_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program, 0, 0, 0);
}

int vault_cover_truncation(void)
{
	return vault_landlock_abi() < VAULT_ABI_TRUNCATE ? filter(no_truncation, sizeof no_truncation) : 0;
}

int vault_cover_debuggers(void)
{
	return vault_landlock_abi() < VAULT_ABI_SCOPE ? filter(no_debugger, sizeof no_debugger) : 0;
}

static int is_symlink(int fd)
{
	struct stat status;

	return sys_stat(fd, "", &status, AT_EMPTY_PATH) == 0 && S_ISLNK(status.st_mode);
}

/* Where openat2 is refused: one name after the other. */
static int open_by_names(const char *path)
{
	char name[NAME_MAX + 1];
	int fd = sys_openat(AT_FDCWD, "/", O_PATH | O_CLOEXEC, 0);

	while (fd >= 0 && *(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");
		int next = -ENAMETOOLONG;

		if (len < sizeof name) {
			memcpy(name, path, len);
			name[len] = '\0';
			next = sys_openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
		}
		sys_close(fd);
		path += len;
		fd = next;
	}
	if (fd < 0 || !is_symlink(fd))
		return fd;
	sys_close(fd);
	return -ELOOP;
}

int vault_open_plain(const char *path)
{
	struct { uint64_t flags, mode, resolve; } how = {O_PATH | O_CLOEXEC, 0, 4 /* RESOLVE_NO_SYMLINKS */};
	int fd = (int)sys_call(OPENAT2, AT_FDCWD, (long)path, (long)&how, sizeof how, 0, 0);

	return fd == -ENOSYS ? open_by_names(path) : fd;
}

int vault_truncate(const char *path, off_t size)
{
	int result = sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0), fd = result;

	if (fd >= 0) {
		result = (int)sys_call(SYS_ftruncate, fd, size, 0, 0, 0, 0);
		sys_close(fd);
	}
	if (result >= 0)
		return 0;
	errno = -result;
	return -1;
}
