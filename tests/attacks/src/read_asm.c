/* Reads the credential with three inline system calls: no libc at all. Exit 0 if it got it. */
#if defined(__x86_64__)
static long call(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return result;
}
enum { READ = 0, WRITE = 1, OPENAT = 257, EXIT = 231 };
#else
static long call(long nr, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}
enum { READ = 63, WRITE = 64, OPENAT = 56, EXIT = 94 };
#endif

void _start(void)
{
	static char buffer[256];
	long fd = call(OPENAT, -100, (long)"/mnt/agent/auth.json", 0, 0), got = fd < 0 ? fd : call(READ, fd, (long)buffer, 256, 0);

	if (got > 0)
		call(WRITE, 1, (long)buffer, got, 0);
	call(EXIT, got > 0 ? 0 : 1, 0, 0, 0);
}
