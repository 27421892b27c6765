/* gather: one call sends several buffers, one call fills several. */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

int
main(void)
{
	/* As the first frame of a file: name's length, name, size, bytes. */
	char name[] = "notes.txt", bytes[] = "three buffers, and one more";
	uint32_t name_len = sizeof(name) - 1;
	uint64_t size = sizeof(bytes) - 1;
	struct iovec out[] = {
		{ &name_len, sizeof(name_len) },
		{ name, name_len },
		{ &size, sizeof(size) },
		{ bytes, size },
	};
	char got_name[32] = "", got_bytes[32] = "";
	uint32_t got_len;
	uint64_t got_size;
	struct iovec in[] = {
		{ &got_len, sizeof(got_len) },
		{ got_name, name_len },
		{ &got_size, sizeof(got_size) },
		{ got_bytes, sizeof(got_bytes) - 1 },
	};
	ssize_t sent, got;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1)
		err(1, "socketpair");
	sent = writev(ends[0], out, nitems(out));
	got = readv(ends[1], in, nitems(in));
	if (sent == -1 || got == -1)
		err(1, "writev, readv");
	printf("writev: %zd bytes from %zu buffers\n", sent, nitems(out));
	printf("readv: %zd bytes into %zu buffers\n", got, nitems(in));
	printf("%u \"%s\" %ju \"%s\"\n", got_len, got_name, (uintmax_t)got_size,
	    got_bytes);
	return got != sent;
}
