/* fdpass: a descriptor sent as a number down a pipe names nothing at the other
 * end; sent with SCM_RIGHTS it is the same open file there. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void
report(const char *how, int fd)
{
	char text[32] = "";

	if (read(fd, text, sizeof(text) - 1) == -1)
		printf("%s: %d in the child: %m\n", how, fd);
	else
		printf("%s: %d in the child reads \"%s\"\n", how, fd, text);
	fflush(stdout);
}

int
main(void)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
			  .cmsg_level = SOL_SOCKET,
			  .cmsg_type = SCM_RIGHTS } };
	char byte = 0; /* a message of none would look like the end */
	struct iovec one = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &one,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_LEN(sizeof(int)) };
	int pipes[2], pair[2], text[2], fd, got;

	if (pipe(pipes) == -1 || pipe(text) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
		err(1, "pipe");
	if (fork() == 0) {
		if (read(pipes[0], &got, sizeof(got)) != sizeof(got))
			err(1, "pipe");
		report("an int down a pipe", got);
		if (recvmsg(pair[0], &msg, MSG_CMSG_CLOEXEC) != 1)
			err(1, "recvmsg");
		memcpy(&got, CMSG_DATA(&control.head), sizeof(got));
		report("SCM_RIGHTS", got);
		return 0;
	}
	fd = fcntl(text[0], F_DUPFD_CLOEXEC, 42); /* only the parent has it */
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	printf("the parent's number is %d\n", fd);
	fflush(stdout);
	if (write(text[1], "hello", 5) != 5 ||
	    write(pipes[1], &fd, sizeof(fd)) != sizeof(fd) ||
	    sendmsg(pair[1], &msg, 0) != 1)
		err(1, "send");
	return wait(NULL) == -1;
}
