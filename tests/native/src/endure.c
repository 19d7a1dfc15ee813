/* An agent that opens 100,000 files and starts 10,000 programs. Prints what it holds before and after: descriptors, threads,
 * and the resident kilobytes. */
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int descriptors(const char *directory)
{
	DIR *entries = opendir(directory);
	int count = 0;

	while (readdir(entries))
		count++;
	closedir(entries);
	return count;
}

static long resident(void)
{
	long total = 0, pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (fscanf(file, "%ld %ld", &total, &pages) != 2)
		exit(2);
	fclose(file);
	return pages * 4;
}

static void report(void)
{
	printf("%d %d %ld\n", descriptors("/proc/self/fd"), descriptors("/proc/self/task"), resident());
}

static void open_some(int count)
{
	for (int i = 0; i < count; i++) {
		FILE *file = i % 4 ? NULL : fopen("/mnt/agent/auth.json", "r");
		int fd = open(i % 2 ? "/mnt/agent/auth.json" : "/etc/passwd", O_RDONLY);

		if (fd < 0)
			exit(3);
		close(fd);
		if (file)
			fclose(file);
	}
}

static void start_some(int count)
{
	char *argv[] = {"true", NULL};
	int status;

	for (int i = 0; i < count; i++) {
		pid_t pid;

		if (i % 4 == 0) {
			if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) != 0)
				exit(4);
		} else if ((pid = vfork()) == 0) {
			execv("/bin/true", argv);
			_exit(127);
		}
		waitpid(pid, &status, 0);
		if (status)
			exit(5);
	}
	if (system("true") || pclose(popen("true", "r")))
		exit(6);
}

int main(void)
{
	open_some(1000);
	start_some(100);
	report();
	open_some(100000);
	start_some(10000);
	report();
	return 0;
}
