#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "client/client.h"
#include "client/remote.h"
#include "client/say.h"
#include "client/stop.h"

#define TIMEOUT_MAX_S 3600

int
remote_timeout(
    const struct command *command, const char *arg, uint64_t *seconds)
{
	if (!text_to_u64(arg, 1, TIMEOUT_MAX_S, seconds))
		return options_wrong(command,
		    "-t takes a number of seconds from 1 to %d", TIMEOUT_MAX_S);
	return CLIENT_DONE;
}

int
remote_parse(
    struct remote *remote, const struct command *command, const char *address)
{
	char shown[256];
	const char *reason;

	if (url_parse(&remote->url, address, &reason) != 0)
		return options_wrong(command, "%s: %s",
		    text_escape(shown, sizeof(shown), address, strlen(address)),
		    reason);
	return CLIENT_DONE;
}

int
remote_open(
    struct remote *remote, const struct command *command, uint64_t seconds)
{
	char shown[256];
	const char *reason;

	if (session_open(&remote->session, &remote->url, &reason) != 0) {
		say("%s: host %s: %s", command->name,
		    text_escape(shown, sizeof(shown), remote->url.host,
			strlen(remote->url.host)),
		    reason);
		return CLIENT_NO_CONNECTION;
	}
	if (seconds > 0)
		remote->session.silence_ms = (unsigned)seconds * 1000;
	remote->session.stop_fd = stop_open();
	if (remote->session.stop_fd < 0) {
		say("%s: %s", command->name,
		    strerrordesc_np(-remote->session.stop_fd));
		remote->session.stop_fd = -1;
		remote_close(remote);
		return CLIENT_FAILED;
	}
	return CLIENT_DONE;
}

void
remote_close(struct remote *remote)
{
	fd_close(&remote->session.stop_fd);
	session_close(&remote->session);
}
