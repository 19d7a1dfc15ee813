/* Which addresses a sandbox that shares the host's network may listen on: the loopback's, at ports that were asked for. */
#ifndef AGENTBOX_LISTEN_H
#define AGENTBOX_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

#include "connect.h"

/* Whether the address is any interface's at a port to serve; it is the loopback's then. */
bool onto_loopback(struct sockaddr_storage *to, socklen_t len, const struct allowed *allowed);

/* bind(2) to such an address. 0 or an errno. */
int bind_to(int fd, struct sockaddr_storage *to, socklen_t len);

/* listen(2), where that is bound as it should be. 0 or an errno. */
int listen_at(int fd, int backlog, const struct allowed *allowed);

#endif
