/*
** runner.h - what `taskresults run` needs from C: one program.
**
**   main.c            the steps of a run, in their order
**   settings.c        the words that we are started with -> what is to be done
**   environment.c     the environment that the command gets
**   signals.c         the signals that are meant for a run
**   delay.c           --jitter: a random time before the start
**   lock.c            --lock: one run of a job at a time
**   supervise.c       the course of a command: started, attended, ended in time
**   stream.c          what it prints: captured, and shown or kept
**   capture.c         a command's output, byte by byte -> the text that is recorded; knows nothing of processes
**   keep.c            what --quiet keeps of the output until it is known whether it is shown
**   offspring.c       the processes that a command leaves behind
**   timeout.c         --timeout, read and worded
**   outcome.c         how the command ended -> what is recorded
**   record.c          has it recorded, by another program
**   log.c             the lines in the job's log, as the scheduler leaves them
**   line.c            texts -> one line of bounded length
**   tail.c            the last bytes of what the command prints
**   ping.c            --ping: tells a dead man's switch, by curl
**   ping_text.c       a ping -> what curl is told
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

enum {
  EXIT_USAGE = 2,
  EXIT_IO = 3,
  EXIT_BUSY = 75,
  EXIT_TIMED_OUT = 124,
  EXIT_NOT_STARTED = 126,
  EXIT_NOT_FOUND = 127
};

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
  int64_t jitter_ms;  /* 0: none */
  const char *job;
  const char *results; /* the directory of results */
  const char *logs;    /* that of logs; NULL: `logs` beside the results, if it is there */
  bool hides_command;  /* from the log */
  enum { LOCK_NONE, LOCK_SKIP, LOCK_WAIT } lock;
  const char *ping; /* where its URL is: env, or @ and a file; NULL: no ping */
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

/* --jitter: waits between 0 and `most_ms`. The number of a signal that ended it, or 0. */
int delay(const Signals *signals, int64_t most_ms);
int64_t delay_choose(uint64_t random, int64_t most_ms);

/* --lock. The descriptor of the job's lock; -1: see errno. */
int lock_open(const char *results, const char *job);
int lock_try(int fd); /* 0, EWOULDBLOCK or another errno */
/* Until it is ours; or until a signal comes, whose number it returns; or *reason is errno. */
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

#define TAIL_BYTES 10240

/* A zeroed one is ready. */
typedef struct Tail {
  unsigned char bytes[2 * TAIL_BYTES];
  size_t length;
} Tail;

void tail_add(Tail *tail, const unsigned char *bytes, size_t length); /* no more than TAIL_BYTES at once */
const unsigned char *tail_text(const Tail *tail, size_t *length);     /* the last TAIL_BYTES */

/* Of both streams. */
typedef struct Showing {
  bool keeping; /* what is printed is kept, not shown */
  bool lost;    /* some output was not read, or not shown */
  Tail tail;
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

bool steers_terminal(const unsigned char *text, size_t length); /* a character of several bytes */

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

/* What is recorded of it. The texts are borrowed from the Ending, or are in `words`. */
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
void line_add_words(Line *line, char *const *words); /* as a shell would have to be given them */

/* A job's log. */
typedef struct JobLog {
  const char *job;
  const char *directory;
  bool is_beside; /* not in the directory itself: it is that of the results, and the log's is ../logs, if it is there */
  bool is_quiet;
  bool has_complained;
} JobLog;

int64_t log_time_us(void); /* the time, as it is logged and recorded */
void log_begin(JobLog *log, char *const *command, bool tells_command);
void log_end(JobLog *log, int64_t time_us, const Outcome *outcome);
void log_skip(JobLog *log, const char *words);

/* The pings of one run. */
#define PING_SECONDS 10 /* each */
typedef struct Ping {
  char *url; /* owned; NULL: no pings */
  const Signals *signals;
  char **environment; /* curl's, which may name a proxy there */
  bool is_quiet;
  const char *what; /* for messages */
  pid_t curl;       /* 0: none is under way */
  int to, from;     /* its standard input, and error; or -1 */
  char *config;     /* owned: what it is told */
  size_t length, sent;
  char complaint[512]; /* what it says */
  size_t heard;
  int64_t until_ms;
} Ping;

void ping_begin(Ping *ping, const Settings *settings, const Signals *signals);
void ping_end(Ping *ping, int exit_status, const unsigned char *output, size_t length);

/* The URL; or NULL, and *fault tells what is wrong. The caller frees it. */
char *ping_url(const char *source, const char **fault);
/* What curl is told, as a config file. NULL: without a body. */
void ping_write(FILE *out, const char *url, const char *action, const unsigned char *body, size_t length);

void report_write(const Outcome *outcome, FILE *out);
bool record(const Outcome *outcome, int64_t time_us, char **recorder, const Signals *signals); /* false: it was not */

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
