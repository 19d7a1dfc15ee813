/* attack NAME: one way to reach what the vault protects. Exit 0: it worked; 1: the kernel or libc refused, errno on stderr. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef STATE	/* tests/containers say where these are in an image */
#define STATE "/mnt/agent"
#define NAME "auth.json"
#define SETTINGS STATE "/settings.json"
#endif
#define AUTH STATE "/" NAME

static int agent;	/* its pid */

/* Prints what can be read from fd, and is content if that is anything. */
static int show(int fd)
{
	char buffer[4096];
	ssize_t got = fd < 0 ? -1 : read(fd, buffer, sizeof buffer);

	if (got > 0 && write(1, buffer, got) == got)
		return 0;
	if (got == 0)
		errno = ENODATA;
	return 1;
}

static int done(long result)
{
	return result < 0;
}

static char *of_agent(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "/proc/%d/%s", agent, name);
	return path;
}

static int read_open(void) { return show(open(AUTH, O_RDONLY)); }
static int read_raw(void) { return show(syscall(SYS_openat, AT_FDCWD, AUTH, O_RDONLY, 0)); }

static int read_openat2(void)
{
	unsigned long how[3] = {O_RDONLY, 0, 0};

	return show(syscall(437, AT_FDCWD, AUTH, how, sizeof how));
}

static int read_dirfd(void) { return show(openat(open(STATE, O_RDONLY | O_DIRECTORY), NAME, O_RDONLY)); }

static int read_fchdir(void)
{
	if (fchdir(open(STATE, O_PATH)) < 0)
		return 1;
	return show(open(NAME, O_RDONLY));
}

static int read_opath(void)
{
	char path[64];
	int fd = open(AUTH, O_PATH);

	if (fd < 0)
		return 1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return show(open(path, O_RDONLY));
}

static int read_procroot(void) { return show(open("/proc/self/root" AUTH, O_RDONLY)); }
static int read_cwd(void) { return chdir(STATE) || show(open("/proc/self/cwd/" NAME, O_RDONLY)); }

static int read_symlink(void)
{
	unlink("innocent");
	return symlink(AUTH, "innocent") || show(open("innocent", O_RDONLY));
}

static int read_symlink_to_directory(void)
{
	unlink("directory");
	return symlink(STATE, "directory") || show(open("directory/" NAME, O_RDONLY));
}

static int hardlink_out(void)
{
	unlink(STATE "/sessions/hard");
	return link(AUTH, STATE "/sessions/hard") || show(open(STATE "/sessions/hard", O_RDONLY));
}

static int rename_out(void) { return rename(AUTH, STATE "/sessions/moved") || show(open(STATE "/sessions/moved", O_RDONLY)); }
static int rename_over(void) { return rename(STATE "/history", AUTH); }
static int rename_exchange(void) { return syscall(SYS_renameat2, AT_FDCWD, AUTH, AT_FDCWD, STATE "/history", 2) < 0; }
static int rename_ancestor(void) { return rename(STATE "/extensions", STATE "/gone"); }
static int unlink_it(void) { return unlink(AUTH); }
static int truncate_it(void) { return truncate(AUTH, 0); }
static int append_to_it(void) { return done(write(open(AUTH, O_WRONLY | O_APPEND), "x", 1)); }
static int write_settings(void) { return done(write(open(SETTINGS, O_WRONLY | O_TRUNC), "{}", 2)); }
static int replace_settings(void)
{
	int fd = open(STATE "/sessions/new", O_CREAT | O_WRONLY, 0600);

	return fd < 0 || rename(STATE "/sessions/new", SETTINGS);
}
static int plant_extension(void) { return done(write(open(STATE "/extensions/evil.js", O_CREAT | O_WRONLY, 0600), "x", 1)); }
static int change_extension(void) { return done(write(open(STATE "/extensions/one.js", O_WRONLY), "x", 1)); }
static int create_later(void) { return done(open(STATE "/.env", O_CREAT | O_WRONLY, 0600)); }
static int plant_new_file(void) { return done(open(STATE "/AGENTS.md", O_CREAT | O_WRONLY, 0600)); }
static int plant_symlink(void) { return symlink("/tmp", STATE "/.env"); }
static int take_away_probe(void) { return unlink("/mnt/.probe") && rename("/mnt/.probe", "/mnt/x"); }

static int read_uring(void)
{
	unsigned params[30] = {0}, *offsets = params + 10;	/* sq_off and cq_off of struct io_uring_params */
	int ring = syscall(425, 4, params);
	char *sq, *cq;
	unsigned *sqe;

	if (ring < 0)
		return 1;
	sq = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0);
	cq = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0x8000000);
	sqe = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0x10000000);
	sqe[0] = 18;	/* IORING_OP_OPENAT */
	sqe[1] = (unsigned)AT_FDCWD;
	*(unsigned long *)(sqe + 4) = (unsigned long)AUTH;
	*(unsigned *)(sq + offsets[6]) = 0;
	__atomic_store_n((unsigned *)(sq + offsets[1]), 1, __ATOMIC_RELEASE);
	if (syscall(426, ring, 1, 1, 1, NULL, 0) < 0)
		return 1;
	errno = -*(int *)(cq + params[20 + 5] + 8);
	return errno > 0 ? 1 : show(-errno);
}

static int in_child(int (*attack)(void))
{
	int status;

	if (fork() == 0)
		_exit(attack());
	wait(&status);
	return WEXITSTATUS(status);
}

static int memfd_static_reader(void)
{
	int fd = memfd_create("x", 0), from = open("./read_static", O_RDONLY);
	char buffer[65536];
	ssize_t got;
	char *argv[] = {"x", NULL};

	while ((got = read(from, buffer, sizeof buffer)) > 0)
		if (write(fd, buffer, got) != got)
			return 1;
	fexecve(fd, argv, environ);
	return 1;
}

static int read_dlmopen(void)
{
	void *libc = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
	int (*fresh)(const char *, int, ...) = libc ? (int (*)(const char *, int, ...))dlsym(libc, "open") : NULL;

	return fresh ? show(fresh(AUTH, O_RDONLY)) : 1;
}

static int proc_environ(void) { return show(open(of_agent("environ"), O_RDONLY)); }
static int proc_maps(void) { return show(open(of_agent("maps"), O_RDONLY)); }
static int proc_root(void) { return show(open(of_agent("root" AUTH), O_RDONLY)); }
static int proc_cwd(void) { return done(open(of_agent("cwd/."), O_RDONLY)); }

static int proc_fd(void)
{
	char name[32];

	for (int fd = 3; fd < 10; fd++) {
		snprintf(name, sizeof name, "fd/%d", fd);
		if (!show(open(of_agent(name), O_RDONLY)))
			return 0;
	}
	return 1;
}

static int proc_task(void)
{
	char name[64];

	snprintf(name, sizeof name, "task/%d/environ", agent);
	return show(open(of_agent(name), O_RDONLY));
}

static int proc_mem(void) { return done(open(of_agent("mem"), O_RDWR)); }

static int trace(void)
{
	if (ptrace(PTRACE_SEIZE, agent, NULL, NULL) < 0)
		return 1;
	ptrace(PTRACE_DETACH, agent, NULL, NULL);
	return 0;
}

static int vm_readv(void)
{
	char here[8];
	struct iovec local = {here, 8}, remote = {(void *)environ, 8};

	return process_vm_readv(agent, &local, 1, &remote, 1, 0) < 0 && errno != EFAULT;
}

static int pidfd_getfd(void)
{
	int pidfd = syscall(434, agent, 0);

	for (int fd = 3; fd < 10; fd++) {
		int copy = syscall(438, pidfd, fd, 0);

		if (copy >= 0 && lseek(copy, 0, SEEK_SET) == 0 && !show(copy))
			return 0;
	}
	return 1;
}

static int send_signal(void) { return kill(agent, SIGUSR1); }
static int send_signal_to_thread(void) { return syscall(SYS_tgkill, agent, agent, SIGUSR1) < 0; }

static int abstract_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int len = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "agent-%d", agent);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return connect(fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 1 + len) || show(fd);
}

static int bind_mount(void)
{
	char map[64];
	int fd, uid = getuid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return 1;
	snprintf(map, sizeof map, "0 %d 1", uid);
	fd = open("/proc/self/uid_map", O_WRONLY);
	if (fd < 0 || write(fd, map, strlen(map)) < 0)
		return 1;
	mkdir("elsewhere", 0700);
	return mount(STATE, "elsewhere", NULL, MS_BIND | MS_REC, NULL) || show(open("elsewhere/" NAME, O_RDONLY));
}

static int enter_agents_namespace(void)
{
	int fd = open(of_agent("ns/user"), O_RDONLY);

	return fd < 0;
}

static int setns_to_agent(void)
{
	int pidfd = syscall(434, agent, 0);

	if (setns(pidfd, CLONE_NEWNS) < 0 && (unshare(CLONE_NEWUSER) < 0 || setns(pidfd, CLONE_NEWNS) < 0))
		return 1;
	return show(open(AUTH, O_RDONLY));
}

static int read_in_denied_directory(void) { return show(open(STATE "/private/key", O_RDONLY)); }

static int spoof(const char *path, char *const argv[])
{
	char marker[64];

	snprintf(marker, sizeof marker, "AGENTBOX_AGENT_PID=%d", getpid());
	putenv(marker);
	execv(path, argv);
	return 1;
}

static int spoof_marker(void)
{
	char *argv[] = {"agent", "execv", "./read_dynamic", NULL};

	return spoof("./agent", argv);	/* the agent's own executable, marker bound to this very pid */
}

static int spoof_agent(void)
{
	char *argv[] = {"agent", "show", "its credential", NULL};

	return spoof("./agent", argv);	/* as before, and the agent can be talked into printing what it reads */
}

static int spoof_launcher(void)
{
	char *argv[] = {"agentbox-launch", "./agent", "execv", "./read_dynamic", NULL};

	return spoof("./agentbox-launch", argv);
}

static int spoof_comm(void) { return prctl(PR_SET_NAME, "agent") || in_child(read_open) ? 1 : 0; }

static int preload_unset(void)
{
	char *argv[] = {"env", "-i", "LD_PRELOAD=", "./read_dynamic", NULL};

	execv("/usr/bin/env", argv);
	return 1;
}

static int bind_now(void)
{
	char *argv[] = {"env", "LD_BIND_NOW=1", "./read_dynamic", NULL};

	execv("/usr/bin/env", argv);
	return 1;
}

static int direct_loader(void)
{
#if defined(__x86_64__)
	const char *loader = "/lib64/ld-linux-x86-64.so.2";
#else
	const char *loader = "/lib/ld-linux-aarch64.so.1";
#endif
	char *argv[] = {"ld.so", "./read_dynamic", NULL};

	execv(loader, argv);
	return 1;
}

static int run_static(void)
{
	char *argv[] = {"read_static", NULL};

	execv("./read_static", argv);
	return 1;
}

static const struct { const char *name; int (*attack)(void); } attacks[] = {
#define ATTACK(name) {#name, name},
	ATTACK(read_open) ATTACK(read_raw) ATTACK(read_openat2) ATTACK(read_dirfd) ATTACK(read_fchdir) ATTACK(read_opath)
	ATTACK(read_procroot) ATTACK(read_cwd) ATTACK(read_symlink) ATTACK(read_symlink_to_directory) ATTACK(hardlink_out)
	ATTACK(rename_out) ATTACK(rename_over) ATTACK(rename_exchange) ATTACK(rename_ancestor) ATTACK(unlink_it)
	ATTACK(truncate_it) ATTACK(append_to_it) ATTACK(write_settings) ATTACK(replace_settings) ATTACK(plant_extension)
	ATTACK(change_extension) ATTACK(create_later) ATTACK(plant_new_file) ATTACK(plant_symlink) ATTACK(read_uring)
	ATTACK(memfd_static_reader) ATTACK(read_dlmopen) ATTACK(proc_environ) ATTACK(proc_maps) ATTACK(proc_root) ATTACK(proc_cwd)
	ATTACK(proc_fd) ATTACK(proc_task) ATTACK(proc_mem) ATTACK(trace) ATTACK(vm_readv) ATTACK(pidfd_getfd) ATTACK(send_signal)
	ATTACK(send_signal_to_thread) ATTACK(abstract_socket) ATTACK(bind_mount) ATTACK(enter_agents_namespace)
	ATTACK(setns_to_agent) ATTACK(read_in_denied_directory)
	ATTACK(spoof_marker) ATTACK(spoof_agent) ATTACK(spoof_launcher) ATTACK(spoof_comm) ATTACK(preload_unset) ATTACK(bind_now)
	ATTACK(direct_loader) ATTACK(run_static) ATTACK(take_away_probe)
#undef ATTACK
};

int main(int argc, char **argv)
{
	const char *pid = getenv("AGENT_PID");

	agent = pid ? atoi(pid) : getppid();
	for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
		if (argc < 2)
			puts(attacks[i].name);
		else if (!strcmp(argv[1], attacks[i].name)) {
			int result = attacks[i].attack();

			if (result)
				fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
			return result ? 1 : 0;
		}
	}
	return argc < 2 ? 0 : 2;
}
