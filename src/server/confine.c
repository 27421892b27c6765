#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/log.h"
#include "server/confine.h"

void
confine_self(const char *name)
{
	static const struct rlimit none = { 0, 0 };

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, name);
	if (setrlimit(RLIMIT_CORE, &none) == -1)
		fatal("%s: setrlimit RLIMIT_CORE", name);
	if (prctl(PR_SET_DUMPABLE, 0) == -1)
		fatal("%s: prctl PR_SET_DUMPABLE", name);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("%s: prctl PR_SET_NO_NEW_PRIVS", name);
}
