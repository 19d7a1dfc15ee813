/* The change time of a directory moves with every name in it, and nobody can set it. */
#include <string.h>

#include "abi.h"
#include "sight.h"
#include "sys.h"

/* Directories are stamped with the time of the last timer tick: 10 ms apart at worst. */
enum { TICKS_NS = 50 * 1000 * 1000, SECOND_NS = 1000 * 1000 * 1000 };

static void identify(int fd, struct vault_seen *out)
{
	struct stat status;

	out->device = out->inode = 0;
	out->changed = (struct timespec){0, 0};
	if (fd < 0 || sys_stat(fd, "", &status, AT_EMPTY_PATH) != 0)
		return;
	out->device = status.st_dev;
	out->inode = status.st_ino;
	out->changed = status.st_ctim;
}

/* True as well where the clock was set back: such a stamp says nothing. */
static bool is_recent(const struct timespec *stamp, const struct timespec *now)
{
	int64_t age = (int64_t)(now->tv_sec - stamp->tv_sec) * SECOND_NS + now->tv_nsec - stamp->tv_nsec;

	return age < TICKS_NS;
}

static void read_clock(struct timespec *out)
{
	sys_call(SYS_clock_gettime, CLOCK_REALTIME, (long)out, 0, 0, 0, 0);
}

void vault_sight_begin(struct vault_sight *sight)
{
	read_clock(&sight->since);
	sight->whole = true;
	sight->count = sight->used = 0;
}

void vault_sight_add(struct vault_sight *sight, const char *path, int fd, bool listed)
{
	size_t len = strlen(path) + 1;
	struct vault_seen *seen;

	if (!sight || !sight->whole)
		return;
	if (sight->count == VAULT_SEEN_MAX || sight->used + len > VAULT_SEEN_TEXT) {
		sight->whole = false;
		return;
	}
	seen = &sight->seen[sight->count++];
	seen->listed = listed;
	seen->path = sight->used;
	memcpy(sight->text + sight->used, path, len);
	sight->used += (uint16_t)len;
	identify(fd, seen);
	if (listed && is_recent(&seen->changed, &sight->since))
		sight->whole = false;
}

static enum vault_view compare(const struct vault_sight *sight, const struct vault_seen *seen, const struct timespec *now)
{
	int fd = vault_open_plain(sight->text + seen->path);
	struct vault_seen here;

	identify(fd, &here);
	if (fd >= 0)
		sys_close(fd);
	if (seen->listed && is_recent(&here.changed, now))
		return VAULT_CHANGING;
	if (here.device != seen->device || here.inode != seen->inode)
		return VAULT_CHANGED;
	if (seen->listed && memcmp(&here.changed, &seen->changed, sizeof here.changed) != 0)
		return VAULT_CHANGED;
	return VAULT_SAME;
}

enum vault_view vault_sight_compare(const struct vault_sight *sight)
{
	enum vault_view view = sight->whole ? VAULT_SAME : VAULT_CHANGED;
	struct timespec now;

	read_clock(&now);
	for (size_t i = 0; i < sight->count && view != VAULT_CHANGING; i++) {
		enum vault_view one = compare(sight, &sight->seen[i], &now);

		view = one > view ? one : view;
	}
	return view;
}
