/* Raw system calls. The vault works before libc is set up, in vforked children that share the agent's memory, and
 * behind its own wrappers: none of these touches errno, a lock or a wrapper. All return -errno on failure. */
#ifndef AGENTBOX_SYS_H
#define AGENTBOX_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "agentbox knows the system calls of x86-64 and aarch64"
#endif

static inline int sys_openat(int dir, const char *path, int flags, int mode)
{
	return (int)sys_call(SYS_openat, dir, (long)path, flags, mode, 0, 0);
}

static inline int sys_close(int fd)
{
	return (int)sys_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline long sys_read(int fd, void *buffer, size_t size)
{
	return sys_call(SYS_read, fd, (long)buffer, (long)size, 0, 0, 0);
}

static inline long sys_write(int fd, const void *buffer, size_t size)
{
	return sys_call(SYS_write, fd, (long)buffer, (long)size, 0, 0, 0);
}

static inline long sys_readlinkat(int dir, const char *path, char *buffer, size_t size)
{
	return sys_call(SYS_readlinkat, dir, (long)path, (long)buffer, (long)size, 0, 0);
}

static inline int sys_stat(int dir, const char *path, struct stat *out, int flags)
{
	return (int)sys_call(SYS_newfstatat, dir, (long)path, (long)out, flags, 0, 0);
}

static inline int sys_access(int dir, const char *path, int mode)
{
	return (int)sys_call(SYS_faccessat, dir, (long)path, mode, 0, 0, 0);
}

/* Whether there is memory that the kernel can read. Asked where a caller's pointer is followed before the kernel has seen it. */
static inline int sys_is_readable(long address)
{
	return sys_access(AT_FDCWD, (const char *)address, 0) != -EFAULT;
}

static inline long sys_getdents(int fd, void *buffer, size_t size)
{
	return sys_call(SYS_getdents64, fd, (long)buffer, (long)size, 0, 0, 0);
}

static inline int sys_getpid(void)
{
	return (int)sys_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline __attribute__((noreturn)) void sys_exit(int status)
{
	for (;;)
		sys_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

#endif
