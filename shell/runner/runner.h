/*
** runner.h - what `taskresults run` needs from C: one program.
**
**   main.c            the steps of a run, in their order
**   settings.c        our arguments -> what is to be done
**   environment.c     the environment that the command gets
**   signals.c         the signals for a run, read from a descriptor
**   delay.c           --jitter: a random time before the start
**   lock.c            --lock: one run of a job at a time
**   supervise.c       starts a command, waits for it, and ends it in time
**   stream.c          what it prints: captured, and shown or kept
**   capture.c         a command's output, byte by byte -> the text that is recorded; knows nothing of processes
**   keep.c            keeps the output under --quiet, until it is known whether to show it
**   offspring.c       the processes that a command leaves behind
**   timeout.c         --timeout: text -> milliseconds, and the words of the error
**   outcome.c         how the command ended -> what is recorded
**   record.c          has the run recorded, by another program
**   log.c             the lines in the job's log, as the scheduler leaves them
**   line.c            texts -> one line of bounded length
**   tail.c            the last bytes of what the command prints
**   ping.c            --ping: notifies a dead man's switch, with curl
**   ping_text.c       a ping -> curl's config file
**   say.c             messages
**   platform_linux.c  everything that needs Linux
**   watch.c           whether anybody reads what `follow` shows
**   write.c           standard input -> a file that appears complete or not at all; knows nothing of commands
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

enum {
  EXIT_USAGE = 2,
  EXIT_IO = 3,
  EXIT_BUSY = 75,
  EXIT_TIMED_OUT = 124,
  EXIT_NOT_STARTED = 126,
  EXIT_NOT_FOUND = 127
};

/* Prints what failed and errno's text; exits with EXIT_IO. */
_Noreturn void run_fail(const char *what);

/* What is to be done, as settings.c reads it. Borrowed from our arguments, except for the recorder. */
typedef struct Settings {
  char **recorder;    /* owned */
  char **command;     /* and its arguments */
  char **environment; /* the command's */
  bool is_quiet;      /* what is printed is kept, not shown */
  bool is_merged;     /* the command's standard error goes where its standard output goes */
  int64_t timeout_ms; /* 0: none */
  int64_t jitter_ms;  /* 0: none */
  const char *job;
  const char *called;  /* how to start `taskresults`, for messages */
  const char *results; /* the directory of results */
  const char *logs;    /* that of logs; NULL: `logs` beside the results, if it is there */
  bool hides_command;  /* from the log */
  enum { LOCK_NONE, LOCK_SKIP, LOCK_WAIT } lock;
  const char *ping; /* where its URL is: env, or @ and a file; NULL: no ping */
} Settings;

/* False: not the arguments of a run. A wrong value of an option is reported, and ends the program. */
bool settings_read(Settings *settings, char **words);

typedef struct Signals {
  int fd;                   /* readable for signals sent to us, and for SIGCHLD */
  sigset_t outer_mask;      /* the signal mask at our start */
  void (*outer_limit)(int); /* the disposition of SIGXFSZ at our start */
} Signals;

bool signals_begin(Signals *signals);           /* false: see errno */
void signals_give_back(const Signals *signals); /* in a new process: restores signals as they were at our start */
void signals_ignore(void);                      /* in a new process: ignores all signals that would end it */
int signals_wait(const Signals *signals, int64_t until_ms); /* the number of the next signal; 0: the time is over */
int64_t now_ms(void);                                       /* of the monotonic clock */
int milliseconds_until(int64_t then_ms);                    /* for poll(): -1 never, as `then_ms` < 0 is */

/* --jitter: waits between 0 and `most_ms`. The number of a signal that ended it, or 0. */
int delay(const Signals *signals, int64_t most_ms);
int64_t delay_choose(uint64_t random, int64_t most_ms);

/* --lock. The descriptor of the job's lock; -1: see errno. */
int lock_open(const char *results, const char *job);
int lock_try(int fd); /* 0, EWOULDBLOCK or another errno */
/* Waits until the lock is ours (returns 0), or until a signal comes (returns its number), or sets *reason to errno. */
int lock_wait(int fd, const Signals *signals, int *reason);

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
  bool goes_on;            /* more than white space came after `stripped` was full */
  bool after_return;       /* the last byte was a carriage return; a newline after it belongs to it */
  unsigned missing;        /* bytes still missing in the current UTF-8 sequence */
  uint32_t point;          /* its code point so far */
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
  bool has_file; /* only when the head is full */
  int file;
  off_t file_length, file_taken;
  unsigned char tail[KEPT_TAIL_BYTES]; /* what could not be written to the file */
  size_t tail_length, tail_taken;
} Kept;

/* 0; or errno if nothing more can be kept, but these bytes and all before them are kept even then. */
int kept_add(Kept *kept, const unsigned char *bytes, size_t length);
ssize_t kept_take(Kept *kept, unsigned char *out,
                  size_t size); /* the next bytes; 0: none are left; -1 with errno set */
bool kept_is_empty(const Kept *kept);
void kept_drop(Kept *kept);

#define TAIL_BYTES 10240

/* A zeroed one is ready. */
typedef struct Tail {
  unsigned char bytes[2 * TAIL_BYTES];
  size_t length;
} Tail;

void tail_add(Tail *tail, const unsigned char *bytes, size_t length); /* no more than TAIL_BYTES at once */
const unsigned char *tail_text(const Tail *tail, size_t *length);     /* the last TAIL_BYTES */

/* What both streams share. */
typedef struct Showing {
  bool keeping; /* what is printed is kept, not shown */
  bool lost;    /* some output was not read, or not shown */
  Tail tail;
} Showing;

#define SHOW_BYTES PIPE_BUF /* a pipe that polls writable takes as much without blocking */

/* One of the command's two streams. */
typedef struct Stream {
  const char *name; /* for messages */
  int from;         /* the pipe's end that we read; -1 after the last byte */
  int to;           /* where it is shown */
  unsigned char buffer[SHOW_BYTES];
  size_t length, written; /* of what is in the buffer */
  bool refused;           /* nothing more can be written there */
  Showing *showing;
  Capture capture;
  Kept kept;
} Stream;

void stream_begin(Stream *stream, const char *name, int to, Showing *showing); /* of a zeroed one */
struct pollfd stream_wanted(Stream *stream); /* what to poll for: more to read, or room to write what was read */
void stream_serve(Stream *stream, const struct pollfd *ready);
bool stream_is_done(const Stream *stream);
void stream_abandon(Stream *stream); /* drops what has not been read or shown by now */
/* Shows what was kept, at the end. 0, or the number of a signal that interrupted it (the reader may have stopped). */
int stream_show_kept(Stream *stream, const Signals *signals);

typedef struct Pids {
  pid_t *list;
  size_t count, room;
} Pids;

void pids_add(Pids *pids, pid_t pid);

/* All processes that come from the command, but not the command itself. */
typedef struct Offspring {
  pid_t command;
  Pids strangers; /* children that we had before */
  Pids told;      /* processes that got TERM */
} Offspring;

void offspring_begin(Offspring *offspring); /* before the command is started; set `command` afterwards */
/* Sends the signal to all offspring known by now. False: there are none; if the command has ended, none will follow. */
bool offspring_tell(Offspring *offspring, int number);
void offspring_reap(const Offspring *offspring);

/* `platform_linux.c`. A descriptor from which the signals can be read, which must be blocked; -1: see errno. */
int signals_open(const sigset_t *signals);
int signals_take(int fd);            /* the next one's number; 0: there is none */
const char *signal_name(int number); /* without SIG; NULL: it has none */
void end_with_parent(void);          /* lets the system send us TERM when our parent ends */
void adopt_orphans(void);            /* makes us the parent of processes that our children leave behind */
bool children_listed(
    Pids *children); /* adds those in the system's list of our children; false: there is no such list */
pid_t highest_pid(void);

bool steers_terminal(const unsigned char *text, size_t length); /* for a character of several bytes */

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
  bool has_offspring; /* as far as is known; checked only once we try to end it */
  int complaint;      /* the pipe through which the new process reports a failed exec; -1 when closed */
  int start_error;    /* errno, if the command could not be started */
  bool ended;         /* the command itself; its pipes may still be open */
  int wait_status;    /* if ended: as wait() returns it */
  int interrupted_by; /* the first signal that was passed on, or 0 */
  bool timed_out;
  Pressure pressure;    /* how far we went to end it */
  int64_t next_step_ms; /* when to go further; -1: never */
} Run;

void supervise(Run *run, const Settings *settings,
               const Signals *signals); /* `run` is zeroed; returns when all is over */
int run_exit_status(const Run *run);

/* What is recorded of a run. The texts are borrowed from the Ending, or are in `words`. */
typedef struct Outcome {
  bool is_success, timed_out;
  const char *output, *error;
  size_t output_length, error_length;
  char words[PATH_MAX * 3 + 64];
} Outcome;

void outcome_judge(const Ending *ending, Outcome *outcome);

/* One line of text. Set `left` before something is added. */
typedef struct Line {
  char text[8192];
  size_t length;
  size_t left; /* how many characters may still be added */
} Line;

void line_add(Line *line, const char *text, size_t length);
void line_add_words(Line *line, char *const *words); /* quoted for a shell */

/* A job's log. */
typedef struct JobLog {
  const char *job;
  const char *called; /* how to start `taskresults`, for messages */
  const char *directory;
  bool is_beside; /* `directory` is that of the results, and the log is in ../logs, if that exists */
  bool is_quiet;
  bool has_complained;
} JobLog;

int64_t log_time_us(void); /* the time, as it is logged and recorded */
void log_begin(JobLog *log, char *const *command, bool tells_command);
void log_end(JobLog *log, int64_t time_us, const Outcome *outcome);
void log_skip(JobLog *log, const char *words);

/* The pings of one run. */
#define PING_SECONDS 10 /* for each ping */
typedef struct Ping {
  char *url; /* owned; NULL: no pings */
  const Signals *signals;
  char **environment; /* for curl, which may find a proxy there */
  bool is_quiet;
  const char *what; /* for messages */
  pid_t curl;       /* 0: none is running */
  int to, from;     /* its standard input, and error; or -1 */
  char *config;     /* owned: curl's config */
  size_t length, sent;
  char complaint[512]; /* curl's error output */
  size_t heard;
  int64_t until_ms;
} Ping;

void ping_begin(Ping *ping, const Settings *settings, const Signals *signals);
void ping_end(Ping *ping, int exit_status, const unsigned char *output, size_t length);

/* The URL; or NULL, with the reason in *fault. The caller frees it. */
char *ping_url(const char *source, const char **fault);
/* Writes curl's config file. `body` NULL: no body. */
void ping_write(FILE *out, const char *url, const char *action, const unsigned char *body, size_t length);

void report_write(const Outcome *outcome, FILE *out);
bool record(const Outcome *outcome, int64_t time_us, char **recorder, const Signals *signals); /* false: it was not */

/* Writes standard input, up to the seal at its end, to the file. Returns the exit status: see write.c. */
int write_main(const char *path, const char *seal, const char *temporary);

/* Waits until nobody reads standard output, or the parent has ended. Returns the exit status. */
int watch_main(const char *fd, const char *parent);

/* `timeout.c`: false if the text is not a length of time, or is too short a time. */
bool timeout_parse(const char *text, int64_t *timeout_ms);
#define TIMEOUT_WORDS_SIZE 64
void timeout_words(int64_t timeout_ms, char out[TIMEOUT_WORDS_SIZE]);

/* Reads words from fd, each ended by a NUL byte, to use as `environ` until the program ends; NULL with errno set. */
char **environment_read(int fd);

#endif /* TASKRESULTS_RUNNER_H */
