/*
** runner.h - what `taskresults run` needs from C: one program.
**
**   capture.c         a command's output, byte by byte -> the text that is recorded; knows nothing of processes
**   environment.c     the environment that the command gets
**   keep.c            what --quiet keeps of the output until it is known whether it is shown
**   offspring.c       the processes that a command leaves behind
**   outcome.c         how the command ended -> what is recorded
**   platform_linux.c  what Linux alone has
**   say.c             messages
**   supervise.c       starts the command, shows or keeps what it prints, ends it in time, has the run recorded
**   timeout.c         --timeout, read and worded
**   watch.c           whether anybody reads what `follow` shows
**   write.c           standard input -> a file that is there whole or not at all; knows nothing of commands
*/
#ifndef TASKRESULTS_RUNNER_H
#define TASKRESULTS_RUNNER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define CAPTURE_POINTS 5000 /* code points of a text that the scheduler keeps */

/* The first code points of a text, as UTF-8. */
typedef struct CaptureHead {
  unsigned char text[CAPTURE_POINTS * 4];
  size_t length;       /* bytes */
  size_t points;       /* code points, at most CAPTURE_POINTS */
  size_t solid_length; /* bytes up to the end of the last code point that is not white space */
} CaptureHead;

/* One stream, of any length, in constant memory. A zeroed Capture is ready. */
typedef struct Capture {
  CaptureHead whole;       /* from the first code point */
  CaptureHead stripped;    /* from the first that is not white space */
  bool goes_on;            /* something that is not white space came after `stripped` was full */
  bool after_return;       /* the last byte was a carriage return: a newline behind it is part of it */
  unsigned missing;        /* bytes that the sequence begun still wants */
  uint32_t point;          /* what it has so far */
  unsigned char low, high; /* the range of its next byte */
} Capture;

void capture_bytes(Capture *capture, const unsigned char *bytes, size_t length);
void capture_end(Capture *capture); /* no more will come */

/* The length of capture->stripped.text without the white space at the end of the whole output. */
size_t capture_stripped_length(const Capture *capture);

#define KEPT_HEAD_BYTES (1024 * 1024)
#define KEPT_TAIL_BYTES 4096 /* the most that is added at once */

/* What one stream printed, to be shown later or never. A zeroed Kept is ready. */
typedef struct Kept {
  unsigned char head[KEPT_HEAD_BYTES];
  size_t head_length, head_taken;
  bool has_file; /* only behind a full head */
  int file;
  off_t file_length, file_taken;
  unsigned char tail[KEPT_TAIL_BYTES]; /* what the file did not take */
  size_t tail_length, tail_taken;
} Kept;

/* 0, or errno if nothing more can be kept. Also then these bytes are, and everything before them. */
int kept_add(Kept *kept, const unsigned char *bytes, size_t length);
ssize_t kept_take(Kept *kept, unsigned char *out,
                  size_t size); /* the next bytes; 0: none are left; -1 with errno set */
bool kept_is_empty(const Kept *kept);
void kept_drop(Kept *kept);

typedef struct Pids {
  pid_t *list;
  size_t count, room;
} Pids;

void pids_add(Pids *pids, pid_t pid);

/* All processes that come from the command, but not the command itself. */
typedef struct Offspring {
  pid_t command;
  Pids strangers; /* children that were ours before */
  Pids told;      /* who got TERM */
} Offspring;

void offspring_begin(Offspring *offspring); /* before the command is started; then `command` is to be set */
/* Sends the signal to all that can be reached by now. False: there are none, which is final if the command has
** ended. */
bool offspring_tell(Offspring *offspring, int number);
void offspring_reap(const Offspring *offspring);

/* `platform_linux.c`. A descriptor that tells of the signals, which are to be blocked; -1: see errno. */
int signals_open(const sigset_t *signals);
int signals_take(int fd);             /* the next one's number; 0: there is none */
const char *signal_name(int number);  /* without SIG; NULL: it has none */
void end_with_parent(void);           /* TERM, when our parent ends */
void adopt_orphans(void);             /* what our children leave behind becomes our child */
bool children_listed(Pids *children); /* adds those that the system lists for ours; false: it has no such list */
pid_t highest_pid(void);

/* One message on standard error, behind the program's name; control characters are made visible. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* How a command ended, to be recorded. */
typedef struct Ending {
  const char *command;
  const Capture *out, *err;
  bool is_success;
  int start_error; /* errno if it could not be started, or 0 */
  bool timed_out;
  const char *timeout_words;
  int interrupted_by; /* a signal that was passed on, or 0 */
  int wait_status;    /* as wait() tells it */
} Ending;

void report_write(const Ending *ending, FILE *out);

/* Standard input, up to the seal at its end, becomes the file. The exit status: see write.c. */
int write_main(const char *path, const char *seal);

/* Until nobody reads standard output, or the parent has ended. The exit status. */
int watch_main(const char *fd, const char *parent);

/* `timeout.c`: false if the text is no length of time, or too short a one. */
bool timeout_parse(const char *text, int64_t *timeout_ms);
#define TIMEOUT_WORDS_SIZE 64
void timeout_words(int64_t timeout_ms, char out[TIMEOUT_WORDS_SIZE]);

/* The words that come from fd, each ended by a NUL byte, to be used as `environ` until the end; NULL with errno set. */
char **environment_read(int fd);

#endif /* TASKRESULTS_RUNNER_H */
