/*
 * One line per message, to stderr, whole lines in one write.  errno is kept.
 * The process names itself once ("netpand", "netpand worker 2").
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVELS };

/* name is copied (up to 63 bytes).  Lines under level are not written. */
void log_open(const char *name, enum log_level level);
enum log_level log_level(void);
void log_set_fd(int fd); /* for tests; borrowed */

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For start-up code only: the message, then errno in words; exit 1.
 * fatalx leaves errno out. */
_Noreturn void fatal(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
_Noreturn void fatalx(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

#endif
