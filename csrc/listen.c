/* Servers say `any interface` and mean their own machine's browser: they get the loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "listen.h"

static const struct in6_addr MAPPED = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}}};

static bool serves(const struct allowed *allowed, in_port_t port)
{
	for (size_t i = 0; i < allowed->count; i++)
		if (htons(allowed->serve[i]) == port)
			return true;
	return false;
}

bool onto_loopback(struct sockaddr_storage *to, socklen_t len, const struct allowed *allowed)
{
	struct sockaddr_in *four = (struct sockaddr_in *)to;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;

	if (to->ss_family == AF_INET && len >= sizeof *four && four->sin_addr.s_addr == htonl(INADDR_ANY)) {
		four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return serves(allowed, four->sin_port);
	}
	if (to->ss_family == AF_INET6 && len >= sizeof *six && IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr)) {
		six->sin6_addr = MAPPED;
		return serves(allowed, six->sin6_port);
	}
	return false;
}

int bind_to(int fd, struct sockaddr_storage *to, socklen_t len)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;

	if (bind(fd, (struct sockaddr *)to, len) == 0)
		return 0;
	if (to->ss_family != AF_INET6 || (errno != EINVAL && errno != EADDRNOTAVAIL))
		return errno;
	six->sin6_addr = in6addr_loopback;	/* a socket of IPv6 alone */
	return bind(fd, (struct sockaddr *)to, len) == 0 ? 0 : errno;
}

static bool is_served(int fd, const struct allowed *allowed)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof at;
	const struct sockaddr_in *four = (struct sockaddr_in *)&at;
	const struct sockaddr_in6 *six = (struct sockaddr_in6 *)&at;

	if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		return false;
	if (at.ss_family == AF_INET)
		return four->sin_addr.s_addr == htonl(INADDR_LOOPBACK) && serves(allowed, four->sin_port);
	return at.ss_family == AF_INET6 && serves(allowed, six->sin6_port) &&
	       (IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) || memcmp(&six->sin6_addr, &MAPPED, sizeof MAPPED) == 0);
}

int listen_at(int fd, int backlog, const struct allowed *allowed)
{
	if (!is_served(fd, allowed))
		return EACCES;
	if (listen(fd, backlog) != 0)
		return errno;
	/* A connected socket's address goes when it is disconnected, which another thread of the caller's may just have done. That of
	 * one that listens stays. */
	if (is_served(fd, allowed))
		return 0;
	shutdown(fd, SHUT_RDWR);
	return EACCES;
}
