/* The doors of netpand: what a connection may speak. */
#ifndef SERVER_DOOR_H
#define SERVER_DOOR_H

#include "server/conn.h"

/* Not known yet: the first byte tells which. */
extern const struct door door_any;
/* HTTP/1. */
extern const struct door door_http;
/* The framed protocol, docs/protocol.md. */
extern const struct door door_train;
/* The course note's wire format: one file to whoever connects. */
extern const struct door door_push;

#endif
