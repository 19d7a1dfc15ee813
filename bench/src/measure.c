/* measure open PATH | spawn PROGRAM | read PATH: nanoseconds per operation, the median of many batches. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 9 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void open_close(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	close(fd);
}

static void spawn(const char *program)
{
	char *argv[] = {(char *)program, NULL};
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		execv(program, argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	if (status != 0) {
		fprintf(stderr, "%s: status %d\n", program, status);
		exit(1);
	}
}

static int compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return (difference > 0) - (difference < 0);
}

int main(int argc, char **argv)
{
	double batch[BATCHES];
	void (*operation)(const char *) = argc == 3 && !strcmp(argv[1], "spawn") ? spawn : open_close;
	int per_batch = operation == spawn ? 10 : 5000;

	for (int i = 0; i < BATCHES; i++) {
		double start = now();

		for (int j = 0; j < per_batch; j++)
			operation(argv[2]);
		batch[i] = (now() - start) / per_batch;
	}
	qsort(batch, BATCHES, sizeof *batch, compare);
	printf("%.1f\n", batch[BATCHES / 2]);
	return 0;
}
