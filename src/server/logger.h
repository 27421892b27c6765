/*
 * The logger: the process at the other end of the access log's pipe.  It reads
 * lines and appends them to the file, and is the only one that may have to
 * wait for the file's disk.  It ends when nobody is left who could write a
 * line, and all of them are written.
 */
#ifndef SERVER_LOGGER_H
#define SERVER_LOGGER_H

/* Where it finds the pipe's end. */
#define LOGGER_PIPE_FD 3

/*
 * The exec'd logger's main.  SIGUSR1, which its parent has blocked, makes it
 * open the file anew.  What it cannot write it drops, says so once, and goes
 * on.  Returns the exit status: 0, or 1 when it cannot begin.
 */
int logger_main(const char *file);

/* Opens the file of the access log for appending, made with mode 0640 if it is
 * not there: the descriptor or -errno. */
int logger_open_file(const char *file);

#endif
