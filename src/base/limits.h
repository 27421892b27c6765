/* Every limit of netpan, in one table.  netpand(8) and netpan(1) list it. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* X(name, value, unit, meaning) */
#define LIMIT_TABLE(X)                                                        \
	/* names */                                                           \
	X(SEG_BYTES, 255, "bytes", "one name (one path segment)")             \
	X(PATH_BYTES, 4095, "bytes", "a path, with a slash between segments") \
	X(PATH_SEGS, 128, "segments", "the depth of a path")                  \
	/* train */                                                           \
	X(TRAIN_REQUEST_BYTES, 16384, "bytes", "a train request's payload")   \
	X(TRAIN_DATA_BYTES, 4194304, "bytes", "one train data frame")         \
	X(TRAIN_TEXT_BYTES, 512, "bytes", "the sentence of an error frame")   \
	X(PUSH_DATA_BYTES, 1000, "bytes", "one push frame")                   \
	/* HTTP */                                                            \
	X(HTTP_HEAD_BYTES, 16384, "bytes", "the head of an HTTP request")     \
	X(HTTP_FIELDS, 64, "lines", "header fields of an HTTP request")       \
	X(HTTP_QUERY_BYTES, 4096, "bytes", "the query of a URL")              \
	X(HTTP_PARAMS, 32, "parameters", "parameters of that query")          \
	X(HTTP_CHUNK_EXT_BYTES, 256, "bytes", "a chunked body's extensions")  \
	X(HTTP_TRAILER_BYTES, 8192, "bytes", "a chunked body's trailer")      \
	X(HTTP_RANGES, 16, "ranges", "ranges of one HTTP request")            \
	/* server */                                                          \
	X(WORKERS, 256, "processes", "workers of one netpand")                \
	X(SLOTS, 65536, "connections", "connections of one worker")           \
	X(QUEUE, 65536, "connections", "clients waiting in the master")       \
	X(PROXIES, 64, "blocks", "of trusted proxies' addresses")             \
	X(PROXY_BYTES, 4096, "bytes", "a PROXY protocol header")              \
	X(LISTENERS, 64, "sockets", "listening addresses")                    \
	X(HELPERS, 64, "threads", "disk threads of one worker")               \
	X(HOT_FDS, 16384, "descriptors", "files kept open in one worker")     \
	X(HOT_MB, 4095, "MiB", "kept bytes of files, in one worker")          \
	X(WALKS, 64, "walks", "folder walks that one worker holds ready")     \
	X(DIR_PAGE, 65536, "names", "names of a folder held sorted at once")  \
	X(DIR_PAGE_BYTES, 1048576, "bytes", "those names together")           \
	X(LISTING_ENTRIES, 1000000, "entries", "a page of a listing")         \
	X(SORTED_ENTRIES, 10000, "entries", "a folder sorted by other keys")  \
	X(ARCHIVES, 8, "archives", "archives made at once in one worker")     \
	X(ARCHIVE_NOTE_BYTES, 16384, "bytes",                                 \
	    "an archive's list of what it lacks")                             \
	X(ZIP_DIRECTORY_BYTES, 33554432, "bytes",                             \
	    "the directory at the end of a zip archive")                      \
	X(SORTED, 64, "listings", "sorted by other keys at once in a worker") \
	X(HELLO_MS, 5000, "ms", "from accept to a whole hello")               \
	X(REQUEST_MS, 10000, "ms", "from a request's first byte to its last") \
	X(ROOM_HELLO_MS, 500, "ms", "of saying nothing, while others wait")   \
	X(ROOM_IDLE_MS, 100, "ms", "between requests, while others wait")     \
	X(IDLE_MS, 60000, "ms", "between requests of one connection")         \
	X(RATE_WINDOW_MS, 60000, "ms", "over which the minimum rate is held") \
	X(MIN_RATE, 1024, "bytes/s", "a reader's minimum rate")               \
	X(CRASHES, 3, "crashes", "served at so many, a source is refused")    \
	X(CRASH_FORGET_MS, 60000, "ms", "without one: half of them count")    \
	X(CRASH_REFUSED_MS, 600000, "ms", "the longest that it is refused")   \
	X(LOG_LINES, 1000, "lines/s", "log lines about one client address")   \
	X(ACCESS_LINE_BYTES, 2048, "bytes", "one line of the access log")     \
	/* client */                                                          \
	X(JOBS, 64, "connections", "connections of one netpan get -r")        \
	X(RETRIES, 20, "attempts", "in a row without one new byte")           \
	X(CONNECT_MS, 10000, "ms", "for a connection to be made")             \
	X(SILENCE_MS, 60000, "ms", "a server silent for so long is gone")     \
	X(TREE_ENTRIES, 100000000, "entries", "of one tree that is fetched")

enum {
#define LIMIT_ENUM(name, value, unit, meaning) LIM_##name = (value),
	LIMIT_TABLE(LIMIT_ENUM)
#undef LIMIT_ENUM
};

#endif
