/* Part of agentbox-launch only: an ordinary static program, so stdio is fine here. */
#include <elf.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "domain.h"
#include "place.h"
#include "preflight.h"
#include "say.h"

#define PRELOAD_LIST "/etc/ld.so.preload"
#define PRELOAD_NAME "fs-vault.so"
#define WITHOUT "PARANOID_MODE=false starts all the same"

#if defined(__x86_64__)
enum { THIS_MACHINE = EM_X86_64 };
#else
enum { THIS_MACHINE = EM_AARCH64 };
#endif

/* Refuses in paranoid mode, else warns. */
static void object(bool paranoid, const char *what, const char *cause, const char *consequence)
{
	if (paranoid)
		vault_die(125, "agentbox-launch: ", what, cause, ": refused (", WITHOUT, ")", NULL);
	vault_say("agentbox-launch: warning: ", what, cause, ": ", consequence, NULL);
}

void vault_check_kernel(bool paranoid)
{
	int abi = vault_landlock_abi();
	const char *missing = NULL;
	char number[24];

	if (abi == 0)
		object(paranoid, "the running kernel has no Landlock", " (CONFIG_SECURITY_LANDLOCK, and landlock in lsm=)",
		       "only the interposer keeps tools from the agent's files, and static programs pass it");
	else if (abi < VAULT_ABI_IOCTL_DEV)
		missing = "device ioctls, signals and abstract sockets";
	else if (abi < VAULT_ABI_SCOPE)
		missing = "signals and abstract sockets";
	if (missing && paranoid)
		vault_say("agentbox-launch: Landlock ABI ", vault_decimal(abi, number), " of this kernel does not cover ",
			  missing, NULL);
}

/* NULL if the object at `path` can be preloaded here, else why not. */
static const char *unloadable(const char *path)
{
	Elf64_Ehdr header;
	FILE *file = fopen(path, "re");
	bool whole = file && fread(&header, sizeof header, 1, file) == 1;

	if (file)
		fclose(file);
	if (!file)
		return strerror(errno);
	if (!whole || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return "not an ELF object";
	return header.e_machine == THIS_MACHINE ? NULL : "built for another CPU";
}

/* Looks for our object in a list of objects; leaves `wrong` alone where it is not in there. */
static void look_for_preload(char *list, const char **wrong)
{
	char *word, *rest;

	for (word = strtok_r(list, " \t\n:", &rest); word; word = strtok_r(NULL, " \t\n:", &rest)) {
		const char *slash = strrchr(word, '/');

		if (slash && strcmp(slash + 1, PRELOAD_NAME) == 0)
			*wrong = unloadable(word);
	}
}

void vault_check_preload(bool paranoid)
{
	char line[VAULT_PATH_MAX];
	FILE *list = fopen(PRELOAD_LIST, "re");
	const char *wrong = PRELOAD_NAME " is not named in " PRELOAD_LIST, *own = getenv("LD_PRELOAD");

	while (list && fgets(line, sizeof line, list))
		look_for_preload(line, &wrong);
	/* Where nobody can write that list. It holds for the chain; what an agent starts is confined before its exec. */
	if (own && strlen(own) < sizeof line)
		look_for_preload(strcpy(line, own), &wrong);
	if (list)
		fclose(list);
	if (wrong)
		object(paranoid, "the interposer would not be loaded: ", wrong, "tools are not kept from the agent's files");
}

static void refuse(const char *path, const char *cause)
{
	vault_die(125, "agentbox-launch: ", path, ": ", cause, NULL);
}

void vault_check_probe(void)
{
	/* access(2) asks the permissions alone, no domain. */
	if (access(vault_probe_link, R_OK) != 0 && errno != ENOENT)
		refuse(vault_probe_link, strerror(errno));
}

static int look_at(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)place;
	if (type == FTW_F && status->st_nlink > 1)
		refuse(path, "this protected file has a second name (a hard link), by which tools could reach it: refused");
	return 0;
}

void vault_check_links(const struct vault_policy *policy)
{
	struct stat status;

	for (size_t i = 0; i < policy->rules; i++) {
		const struct vault_rule *rule = &policy->rule[i];

		if (rule->right == VAULT_WRITE || lstat(rule->path.text, &status) != 0)
			continue;
		if (S_ISLNK(status.st_mode) && rule->right == VAULT_DENY)
			refuse(rule->path.text, "this protected path is a symbolic link, so its target is not protected: refused");
		if (S_ISREG(status.st_mode))
			look_at(rule->path.text, &status, FTW_F, NULL);
		else if (S_ISDIR(status.st_mode) && rule->right == VAULT_DENY)
			nftw(rule->path.text, look_at, 16, FTW_PHYS);
	}
}

struct mount {
	unsigned major, minor;
	char root[VAULT_PATH_MAX], point[VAULT_PATH_MAX];
};

enum { MOUNTS_MAX = 512 };
static struct mount mounts[MOUNTS_MAX];

/* The kernel writes space, tab, newline and backslash as \ooo. */
static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] && text[2] && text[3]) {
			*out++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

static size_t read_mounts(void)
{
	static char line[3 * VAULT_PATH_MAX];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	size_t count = 0;

	if (!file)
		vault_die(125, "agentbox-launch: /proc/self/mountinfo: ", strerror(errno), NULL);
	while (fgets(line, sizeof line, file)) {
		struct mount *mount = &mounts[count];

		if (count == MOUNTS_MAX)
			vault_die(125, "agentbox-launch: more mounts than can be checked for a second way to the vault", NULL);
		if (sscanf(line, "%*u %*u %u:%u %4095s %4095s", &mount->major, &mount->minor, mount->root, mount->point) != 4)
			continue;
		unescape(mount->root);
		unescape(mount->point);
		count++;
	}
	fclose(file);
	return count;
}

static bool below(const char *path, const char *parent)
{
	struct vault_text text = {parent, strlen(parent)};

	return vault_is_under(path, strlen(path), &text);
}

/* What comes after `parent` in `path`, with its slash. */
static const char *after(const char *path, const char *parent)
{
	return path + (parent[1] ? strlen(parent) : 0);
}

/* A later mount of another filesystem lies over `place`, which `upper` would show, or over a directory on the way to it. */
static bool is_covered(const char *place, const struct mount *upper, size_t count)
{
	for (const struct mount *over = upper + 1; over < mounts + count; over++)
		if ((over->major != upper->major || over->minor != upper->minor) && below(place, over->point) &&
		    below(over->point, upper->point) && strcmp(over->point, upper->point) != 0)
			return true;
	return false;
}

/* Two mounts show the same files at two places: their roots overlap, not because one continues the other in place, and the
 * second view is not covered by something else. */
static bool shows_again(const struct mount *one, const struct mount *other, size_t count)
{
	const struct mount *upper = below(other->root, one->root) ? one : other, *lower = upper == one ? other : one;
	char place[2 * VAULT_PATH_MAX];

	if (one->major != other->major || one->minor != other->minor || !below(lower->root, upper->root))
		return false;
	snprintf(place, sizeof place, "%s%s", upper->point[1] ? upper->point : "", after(lower->root, upper->root));
	return strcmp(place, lower->point) != 0 && !is_covered(place, upper, count);
}

void vault_check_mounts(const struct vault_policy *policy)
{
	size_t count = read_mounts();

	for (size_t i = 0; i < count; i++) {
		if (!vault_is_under(mounts[i].point, strlen(mounts[i].point), &policy->vault))
			continue;
		for (size_t j = 0; j < count; j++)
			if (i != j && shows_again(&mounts[i], &mounts[j], count))
				vault_die(125, "agentbox-launch: ", mounts[j].point, ": shows files of ", mounts[i].point,
					  " a second time, where the vault does not protect them: refused", NULL);
	}
}
