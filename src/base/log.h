/*
 * One line per message, to stderr, whole lines in one write:
 *
 *	2026-11-23T20:05:09.123Z netpand worker 2: warning: TEXT
 *
 * A line of level info has no word for it.  The time is left out where a
 * journal adds it (JOURNAL_STREAM is set), and before log_open: so a program
 * that never calls it complains as its users expect ("netpan: TEXT").  A line
 * is cut at LOG_LINE_BYTES; a control byte in it becomes "?".  No call waits
 * for the reader of a full pipe or terminal: the line is dropped, and the next
 * one that goes through is preceded by how many were.  errno is kept.  Lines
 * may be logged from several threads; log_open is for the start.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#define LOG_LINE_BYTES 2048 /* with its newline; a pipe takes it whole */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVELS };

/* The process names itself once ("netpand", "netpand worker 2"); the name is
 * copied (up to 63 bytes).  Lines under level are not written. */
void log_open(const char *name, enum log_level level);
enum log_level log_level(void);
void log_set_fd(int fd); /* in stderr's place; borrowed */

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For start-up code only: the message, then errno in words; exit 1.
 * fatalx leaves errno out.  After log_open the line is one of level error. */
_Noreturn void
fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void
fatalx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
