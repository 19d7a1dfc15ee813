/* What the caller's memory says may change at any time: the address is copied once, judged, and it is the copy that is connected to,
 * on the caller's own socket, or on one of ours in its place. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "connect.h"
#include "listen.h"

enum { PIDFD_OPEN = 434, PIDFD_GETFD = 438, OTHERWISE = -1 };

static bool may_connect(const struct sockaddr_storage *to, socklen_t len, uint16_t port)
{
	const struct sockaddr_in *ip = (const struct sockaddr_in *)to;

	if (to->ss_family == AF_UNSPEC || to->ss_family == AF_NETLINK)
		return true;
	return port && to->ss_family == AF_INET && len >= sizeof *ip && ip->sin_addr.s_addr == htonl(INADDR_LOOPBACK) &&
	       ip->sin_port == htons(port);
}

/* A thread's process: only that has a pidfd. */
static int process_of(int thread)
{
	char path[64], line[256];
	int process = -1;
	FILE *status;

	snprintf(path, sizeof path, "/proc/%d/status", thread);
	status = fopen(path, "re");
	while (status && process < 0 && fgets(line, sizeof line, status))
		if (sscanf(line, "Tgid: %d", &process) == 1)
			break;
	if (status)
		fclose(status);
	return process;
}

/* Of the caller's memory. By the file, as a container's own filter may refuse process_vm_readv. */
static bool copy(int thread, uint64_t address, void *to, size_t len)
{
	char path[64];
	ssize_t got;
	int memory;

	snprintf(path, sizeof path, "/proc/%d/mem", thread);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	got = memory < 0 ? -1 : pread(memory, to, len, (off_t)address);
	if (memory >= 0)
		close(memory);
	return got == (ssize_t)len;
}

/* How the caller has opened this socket; -1 where it is none. */
static int flags_of(int process, int fd)
{
	char path[64], is[16];
	int flags = -1;
	FILE *info;

	snprintf(path, sizeof path, "/proc/%d/fd/%d", process, fd);
	if (readlink(path, is, sizeof is) < (ssize_t)strlen("socket:") || strncmp(is, "socket:", strlen("socket:")) != 0)
		return -1;
	snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", process, fd);
	info = fopen(path, "re");
	if (info && fscanf(info, "pos: %*s flags: %o", (unsigned int *)&flags) != 1)
		flags = -1;
	if (info)
		fclose(info);
	return flags;
}

/* Where other processes' descriptors are not to be had (a container's own filter refuses pidfd_getfd), the caller gets a
 * socket of ours in the place of its own, connected; what it had set on that is lost. */
static int replace(int listener, const struct seccomp_notif *call, int process, const struct sockaddr_storage *to, socklen_t len)
{
	struct seccomp_notif_addfd ours = {.id = call->id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .newfd = (__u32)call->data.args[0]};
	int flags = flags_of(process, (int)ours.newfd), fd, on = 1;

	if (flags < 0)
		return ENOTSOCK;
	if (to->ss_family != AF_INET)
		return EACCES;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)to, len) != 0)
		return errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (fcntl(fd, F_SETFL, flags & O_NONBLOCK) != 0)
		return errno;
	ours.srcfd = (__u32)fd;
	ours.newfd_flags = (__u32)flags & O_CLOEXEC;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &ours) < 0 ? errno : 0;
}

static int address_of(const struct seccomp_notif *call, struct sockaddr_storage *to, socklen_t *len)
{
	*len = (socklen_t)call->data.args[2];
	if (*len < sizeof to->ss_family || *len > sizeof *to)
		return EINVAL;
	return copy((int)call->pid, call->data.args[1], to, *len) ? 0 : EFAULT;
}

/* A copy of the caller's descriptor; -1 with errno. */
static int socket_of(int listener, const struct seccomp_notif *call)
{
	int process = (int)syscall(PIDFD_OPEN, process_of((int)call->pid), 0);

	/* The number may be another process's by now, unless the call is still waiting. */
	if (process < 0 || ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) != 0) {
		errno = ESRCH;
		return -1;
	}
	return (int)syscall(PIDFD_GETFD, process, (int)call->data.args[0], 0);
}

/* These three: 0, or the errno that the caller gets. */
static int connect_as(int listener, const struct seccomp_notif *call, uint16_t port)
{
	struct sockaddr_storage to = {.ss_family = AF_UNSPEC};
	socklen_t len;
	int wrong = address_of(call, &to, &len), fd;

	if (wrong)
		return wrong;
	if (!may_connect(&to, len, port))
		return EACCES;
	fd = socket_of(listener, call);
	if (fd < 0 && errno == EPERM)
		return replace(listener, call, process_of((int)call->pid), &to, len);
	if (fd < 0)
		return errno;
	return connect(fd, (struct sockaddr *)&to, len) == 0 ? 0 : errno;
}

/* OTHERWISE: the kernel may do as it was asked. What that binds, listen_as judges. */
static int bind_as(int listener, const struct seccomp_notif *call, const struct allowed *allowed)
{
	struct sockaddr_storage to = {.ss_family = AF_UNSPEC};
	socklen_t len;
	int fd;

	if (address_of(call, &to, &len) != 0 || !onto_loopback(&to, len, allowed))
		return OTHERWISE;
	fd = socket_of(listener, call);
	return fd < 0 ? errno : bind_to(fd, &to, len);
}

static int listen_as(int listener, const struct seccomp_notif *call, const struct allowed *allowed)
{
	int fd = socket_of(listener, call);

	return fd < 0 ? errno : listen_at(fd, (int)call->data.args[1], allowed);
}

static int done_for(int listener, const struct seccomp_notif *call, const struct allowed *allowed)
{
	if (call->data.nr == SYS_bind)
		return bind_as(listener, call, allowed);
	if (call->data.nr == SYS_listen)
		return listen_as(listener, call, allowed);
	return connect_as(listener, call, allowed->connect);
}

void answer(int listener, const struct allowed *allowed)
{
	struct seccomp_notif call;
	struct seccomp_notif_resp response;
	pid_t child;
	int wrong;

	memset(&call, 0, sizeof call);
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
		return;
	memset(&response, 0, sizeof response);
	response.id = call.id;
	/* A connection may take as long as the caller likes to wait; the supervisor has others to answer. */
	child = fork();
	if (child > 0)
		return;
	wrong = child < 0 ? EAGAIN : done_for(listener, &call, allowed);
	if (wrong == OTHERWISE)
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else
		response.error = -wrong;
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	if (child == 0)
		_exit(0);
}
