#include <errno.h>
#include <string.h>

#include "load.h"
#include "place.h"
#include "say.h"
#include "sys.h"

static long read_whole(int fd, char *out, size_t room)
{
	size_t used = 0;
	long got;

	while ((got = sys_read(fd, out + used, room - used)) > 0 || got == -EINTR)
		used += got > 0 ? (size_t)got : 0;
	return got < 0 ? got : (long)used;
}

static __attribute__((noreturn)) void malformed(const struct vault_error *error)
{
	char number[24];

	vault_die(125, "agentbox: ", vault_policy_path, ":", vault_decimal(error->line, number), ": ", error->message, NULL);
}

void vault_policy_load(struct vault_policy *policy)
{
	struct vault_error error = {0, NULL};
	int fd = sys_openat(AT_FDCWD, vault_policy_path, O_RDONLY | O_CLOEXEC, 0);
	long len = fd < 0 ? fd : read_whole(fd, policy->text, sizeof policy->text);
	char number[24];

	if (fd >= 0)
		sys_close(fd);
	if (len < 0)
		vault_die(125, "agentbox: ", vault_policy_path, ": cannot read the policy: errno ",
			  vault_decimal(-len, number), NULL);
	if (!vault_policy_parse(policy, (size_t)len, &error))
		malformed(&error);
}
