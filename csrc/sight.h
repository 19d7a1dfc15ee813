/* What a ruleset was made from: the directories that the walk listed and the paths that it raised. While all of them are what
 * they were, a new walk would grant the same again. */
#ifndef AGENTBOX_SIGHT_H
#define AGENTBOX_SIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { VAULT_SEEN_MAX = 32, VAULT_SEEN_TEXT = 2560 };

struct vault_seen {
	uint64_t device, inode;		/* 0 where there was nothing */
	struct timespec changed;	/* of a directory that was listed */
	uint16_t path;			/* where its text starts */
	bool listed;
};

struct vault_sight {
	struct timespec since;
	bool whole;	/* all of it found room, and had not changed a moment before `since` */
	uint16_t count, used;
	struct vault_seen seen[VAULT_SEEN_MAX];
	char text[VAULT_SEEN_TEXT];
};

void vault_sight_begin(struct vault_sight *sight);

/* `fd` stands for `path`; below 0, nothing was there. `sight` may be NULL. */
void vault_sight_add(struct vault_sight *sight, const char *path, int fd, bool listed);

enum vault_view {
	VAULT_SAME,
	VAULT_CHANGED,
	VAULT_CHANGING,	/* a moment ago: the clock that stamps directories may not tell the next change from that one */
};

/* How `sight` compares to what is there now. */
enum vault_view vault_sight_compare(const struct vault_sight *sight);

#endif
