/* A stand-in for an agent: agent HOW PROGRAM [ARGUMENT...]. It reads its credential, keeps it open, in its memory and in its
 * environment, listens on an abstract socket, and starts PROGRAM in the way that HOW names. Its status is PROGRAM's. With HOW
 * `show` it prints the credential: a model can be talked into that, so whoever can start an agent has what it has.
 * agent steps HOW STEP... runs each step, a shell command or ./PROGRAM alone, or does it itself: @settle, @write PATH TEXT, @rename OLD NEW,
 * @unlink PATH, @weaker (closes what it did not open, and puts a ruleset that denies nothing in its place), @churn. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

#define CREDENTIAL "/mnt/agent/auth.json"

extern char **environ;
static char secret[64];
static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	(void)number;
	signalled = 1;
}

static void *serve(void *argument)
{
	int listener = *(int *)argument, peer;

	while ((peer = accept(listener, NULL, NULL)) >= 0) {
		if (write(peer, secret, strlen(secret)) < 0)
			perror("agent: socket");
		close(peer);
	}
	return NULL;
}

static void listen_abstract(void)
{
	static int listener;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int len = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "agent-%d", getpid());
	pthread_t thread;

	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bind(listener, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 1 + len);
	listen(listener, 8);
	pthread_create(&thread, NULL, serve, &listener);
}

static const char *joined(char **argv)
{
	static char line[4096];

	for (*line = '\0'; *argv; argv++)
		sprintf(line + strlen(line), "'%s' ", *argv);
	return line;
}

static int wait_status(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	return status;
}

static void must(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(126);
}

static void exec_as(const char *how, char **argv)
{
	int fd;

	if (!strcmp(how, "execv"))
		execv(argv[0], argv);
	else if (!strcmp(how, "execvp") || !strcmp(how, "thread"))
		execvp(argv[0], argv);
	else if (!strcmp(how, "execvpe"))
		execvpe(argv[0], argv, environ);
	else if (!strcmp(how, "execl"))
		execl(argv[0], argv[0], argv[1], argv[1] ? argv[2] : NULL, NULL);
	else if (!strcmp(how, "execlp"))
		execlp(argv[0], argv[0], argv[1], argv[1] ? argv[2] : NULL, NULL);
	else if (!strcmp(how, "execle") && argv[1])
		execle(argv[0], argv[0], argv[1], argv[2], (char *)NULL, environ);
	else if (!strcmp(how, "execle"))
		execle(argv[0], argv[0], NULL, environ);
	else if (!strcmp(how, "fexecve") && (fd = open(argv[0], O_RDONLY)) >= 0)
		fexecve(fd, argv, environ);
	else if (!strcmp(how, "execveat"))
		execveat(AT_FDCWD, argv[0], argv, environ, 0);
	else if (!strcmp(how, "syscall"))
		syscall(SYS_execve, argv[0], argv, environ);
	else
		execve(argv[0], argv, environ);
	must(how);
}

static void *fork_in_thread(void *argument)
{
	pid_t pid = fork();

	if (pid == 0)
		exec_as("thread", argument);
	return (void *)(long)wait_status(pid);
}

static int start(const char *how, char **argv)
{
	pid_t pid;
	void *result;
	pthread_t thread;
	wordexp_t words;
	FILE *stream;

	if (!strcmp(how, "bad_exec"))
		return syscall(SYS_execve, argv[0], argv, -1L) == -1 && errno == EFAULT ? 0 : 1 << 8;
	if (!strcmp(how, "show"))
		return puts(secret) < 0;
	if (!strcmp(how, "in_place"))
		exec_as("execve", argv);
	if (!strcmp(how, "system"))
		return system(joined(argv));
	if (!strcmp(how, "popen")) {
		char line[4096];

		stream = popen(joined(argv), "r");
		while (fgets(line, sizeof line, stream))
			fputs(line, stdout);
		return pclose(stream);
	}
	if (!strcmp(how, "wordexp")) {
		char line[5000];

		snprintf(line, sizeof line, "$(%s; echo $?)", joined(argv));
		if (wordexp(line, &words, 0) != 0)
			return 1 << 8;
		for (size_t i = 0; i < words.we_wordc; i++)
			puts(words.we_wordv[i]);
		return atoi(words.we_wordv[words.we_wordc - 1]) << 8;
	}
	if (!strcmp(how, "posix_spawn") || !strcmp(how, "posix_spawnp")) {
		errno = how[11] ? posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ)
				: posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
		if (errno)
			must(how);
		return wait_status(pid);
	}
	if (!strcmp(how, "thread")) {
		pthread_create(&thread, NULL, fork_in_thread, argv);
		pthread_join(thread, &result);
		return (int)(long)result;
	}
	pid = strcmp(how, "vfork") ? fork() : vfork();
	if (pid == 0)
		exec_as(how, argv);
	return wait_status(pid);
}

/* Directories are stamped by the timer's ticks; the vault waits for a later one before it relies on a stamp. */
static void settle(void)
{
	usleep(80000);
}

static void put_weaker_ruleset(void)
{
	uint64_t nearly_nothing = 1 << 6;	/* making character devices */
	int ruleset = syscall(SYS_landlock_create_ruleset, &nearly_nothing, sizeof nearly_nothing, 0);

	for (int fd = 3; fd < 300; fd++)
		if (fd != ruleset)
			dup3(ruleset, fd, O_CLOEXEC);
}

static void *churn(void *unused)
{
	for (int i = 0;; i = (i + 1) % 8) {
		char path[64];

		sprintf(path, "/mnt/agent/churn-%d", i);
		close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
		usleep(i * 12000);
		unlink(path);
	}
	return unused;
}

static void act(char *step)
{
	char *what = strtok(step, " "), *one = strtok(NULL, " "), *two = strtok(NULL, "");
	pthread_t thread;
	FILE *file;

	if (!strcmp(what, "@settle"))
		settle();
	else if (!strcmp(what, "@weaker"))
		put_weaker_ruleset();
	else if (!strcmp(what, "@churn"))
		pthread_create(&thread, NULL, churn, NULL);
	else if (!strcmp(what, "@write") && (file = fopen(one, "w")))
		fputs(two, file), fclose(file);
	else if ((strcmp(what, "@unlink") || unlink(one)) && (strcmp(what, "@rename") || rename(one, two)))
		must(what);
}

static int is_program(const char *step)
{
	return *step == '.' && !strchr(step, ' ');
}

static int take_steps(const char *how, char **steps)
{
	int status = 0;

	for (; *steps; steps++)
		if (**steps == '@')
			act(*steps);
		else
			status = start(how, is_program(*steps) ? (char *[]){*steps, NULL}
							       : (char *[]){"/bin/sh", "-c", *steps, NULL});
	return status;
}

int main(int argc, char **argv)
{
	int fd = open(CREDENTIAL, O_RDWR), status;
	char pid[16];

	setbuf(stdout, NULL);
	if (argc < 3 || fd < 0 || read(fd, secret, sizeof secret - 1) <= 0)
		must("agent: its own credential");
	snprintf(pid, sizeof pid, "%d", getpid());
	setenv("AGENT_PID", pid, 1);
	signal(SIGUSR1, on_signal);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	listen_abstract();
	if (getenv("SETTLED"))
		settle();
	status = strcmp(argv[1], "steps") ? start(argv[1], argv + 2) : take_steps(argv[2], argv + 3);
	lseek(fd, 0, SEEK_SET);
	if (read(open(CREDENTIAL, O_RDONLY), secret, sizeof secret - 1) <= 0)
		fprintf(stderr, "agent: the credential is gone\n");
	if (signalled)
		fprintf(stderr, "agent: signalled\n");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
