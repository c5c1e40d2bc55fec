/*
** runner.h - what `taskresults run` needs from C: one program.
**
**   main.c            the steps of a run, in their order
**   settings.c        the words that we are started with -> what is to be done
**   environment.c     the environment that the command gets
**   signals.c         the signals that are meant for a run
**   supervise.c       the course of a command: started, attended, ended in time
**   stream.c          what it prints: captured, and shown or kept
**   capture.c         a command's output, byte by byte -> the text that is recorded; knows nothing of processes
**   keep.c            what --quiet keeps of the output until it is known whether it is shown
**   offspring.c       the processes that a command leaves behind
**   timeout.c         --timeout, read and worded
**   outcome.c         how the command ended -> what is recorded
**   record.c          has it recorded, by another program
**   say.c             messages
**   platform_linux.c  what Linux alone has
**   watch.c           whether anybody reads what `follow` shows
**   write.c           standard input -> a file that is there whole or not at all; knows nothing of commands
*/
#ifndef TASKRESULTS_RUNNER_H
#define TASKRESULTS_RUNNER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum { EXIT_USAGE = 2, EXIT_IO = 3, EXIT_TIMED_OUT = 124, EXIT_NOT_STARTED = 126, EXIT_NOT_FOUND = 127 };

/* Says what failed, and errno's cause; ends with EXIT_IO. */
_Noreturn void run_fail(const char *what);

/* What is to be done, as settings.c reads it. Borrowed from the words that we were started with, but for the
** recorder. */
typedef struct Settings {
  char **recorder;    /* owned */
  char **command;     /* and its arguments */
  char **environment; /* the command's */
  bool is_quiet;      /* what is printed is kept, not shown */
  bool is_merged;     /* the command's standard error goes where its standard output goes */
  int64_t timeout_ms; /* 0: none */
} Settings;

/* False: these are no such words. Wrong values of options end it, with what is wrong. */
bool settings_read(Settings *settings, char **words);

typedef struct Signals {
  int fd;                   /* tells of those that are meant for us, and of SIGCHLD */
  sigset_t outer_mask;      /* as it was when we came */
  void (*outer_limit)(int); /* what SIGXFSZ did then */
} Signals;

bool signals_begin(Signals *signals);                       /* false: see errno */
void signals_give_back(const Signals *signals);             /* in a new process: as they were when we came */
void signals_ignore(void);                                  /* there: whatever is meant to end it */
int signals_wait(const Signals *signals, int64_t until_ms); /* the next one's number; 0: the time has come */
int64_t now_ms(void);                                       /* of a clock that only goes forward */
int milliseconds_until(int64_t then_ms);                    /* for poll(): -1 never, as `then_ms` < 0 is */

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

/* Of both streams. */
typedef struct Showing {
  bool keeping; /* what is printed is kept, not shown */
  bool lost;    /* some output was not read, or not shown */
} Showing;

#define SHOW_BYTES PIPE_BUF /* a pipe that polls writable takes as much without blocking */

/* One of the command's two streams. */
typedef struct Stream {
  const char *name; /* for messages */
  int from;         /* the pipe's end that we read; -1 behind the last byte */
  int to;           /* where it is shown */
  unsigned char buffer[SHOW_BYTES];
  size_t length, written; /* of what is in the buffer */
  bool refused;           /* nothing more can be written there */
  Showing *showing;
  Capture capture;
  Kept kept;
} Stream;

void stream_begin(Stream *stream, const char *name, int to, Showing *showing); /* of a zeroed one */
struct pollfd stream_wanted(Stream *stream); /* what it waits for: more to read, or room for what was read */
void stream_serve(Stream *stream, const struct pollfd *ready);
bool stream_is_done(const Stream *stream);
void stream_abandon(Stream *stream); /* what has not been read or shown by now never will be */
/* When all else is done. The number of a signal that ended it, since whoever reads may have stopped; or 0. */
int stream_show_kept(Stream *stream, const Signals *signals);

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

typedef enum Pressure { PRESSURE_NONE, PRESSURE_TERM, PRESSURE_KILL, PRESSURE_ABANDON } Pressure;

/* One command, from its start to its end. */
typedef struct Run {
  const Settings *settings;
  const Signals *signals;
  Stream out, err;
  Showing showing;
  pid_t command;
  Offspring offspring;
  bool has_offspring; /* as far as is known; looked after only when there is pressure */
  int complaint;      /* where the new process says why it could not become the command; -1 when that is over */
  int start_error;    /* errno, if the command could not be started */
  bool ended;         /* the command itself; its pipes may still be open */
  int wait_status;    /* then; as wait() tells it */
  int interrupted_by; /* the first signal that was passed on, or 0 */
  bool timed_out;
  Pressure pressure;    /* what has been done to end it */
  int64_t next_step_ms; /* when more is to be done; -1 never */
} Run;

void supervise(Run *run, const Settings *settings, const Signals *signals); /* a zeroed Run; until all is over */
int run_exit_status(const Run *run);

bool record(const Ending *ending, char **recorder, const Signals *signals); /* false: it was not */

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
