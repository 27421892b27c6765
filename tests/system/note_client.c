/*
 * The course note's own client, as naive as it is there: it sends nothing,
 * trusts every length, reads exactly with MSG_WAITALL, and each frame into a
 * buffer of 1000 bytes.  usage: note_client IP PORT
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int
recvn(int fd, void *p, int len)
{
	return len == 0 || recv(fd, p, len, MSG_WAITALL) == len;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	char name[1000] = "", buf[1000];
	long long size, got = 0;
	int fd, file, len;

	if (argc != 3)
		return 2;
	addr.sin_addr.s_addr = inet_addr(argv[1]);
	addr.sin_port = htons(atoi(argv[2]));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == -1)
		return 3;
	if (!recvn(fd, &len, 4) || !recvn(fd, name, len) ||
	    !recvn(fd, &size, 8))
		return 1;
	file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	while (got < size) {
		if (!recvn(fd, &len, 4) || !recvn(fd, buf, len))
			return 1;
		if (write(file, buf, len) != len)
			return 1;
		got += len;
	}
	printf("%s %lld\n", name, size);
	/* the server has nothing more to say */
	return recv(fd, buf, 1, 0) == 0 ? 0 : 1;
}
