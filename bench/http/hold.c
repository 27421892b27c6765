#include "hold.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"

int
hold_run(const struct options *o)
{
	struct conn *conns = calloc(o->connections, sizeof(*conns));
	uint64_t chance = o->seed;
	enum conn_want want;
	const struct target *t;
	char byte;

	if (conns == NULL) {
		perror("bench-http");
		return 1;
	}
	for (unsigned i = 0; i < o->connections; i++) {
		conn_init(&conns[i]);
		t = &o->targets.v[i % o->targets.n];
		want = conn_begin(&conns[i], o, t, &chance, 0);
		while (!o->stall && want == CONN_READ)
			want = conn_step(&conns[i]);
		if (want != (o->stall ? CONN_READ : CONN_DONE)) {
			fprintf(stderr, "bench-http: connection %u: %s\n", i,
			    conns[i].failure);
			return 1;
		}
	}
	printf("held\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (unsigned i = 0; i < o->connections; i++)
		conn_close(&conns[i]);
	free(conns);
	return 0;
}
