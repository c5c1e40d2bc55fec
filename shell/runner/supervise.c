/*
** supervise.c - runs a command as `taskresults run` promises: shown or kept, ended in time, recorded.
**
**   taskresults-run TIMEOUT HOW ENVIRONMENT N RECORDER... COMMAND...
**
** TIMEOUT is a length of time as people write it, or - for none. HOW is `show` or `quiet`, with `+merge` behind it if
** both streams of the command are to be one. ENVIRONMENT is the descriptor that the command's environment comes from,
** or - for ours. RECORDER, N words of it, is a program that is told on its standard input how the command ended
** (outcome.c). If it fails, the run was not recorded.
**
** The command gets our standard input, a process group of its own, and pipes for its output: a background process that
** it leaves behind with these pipes open is waited for, as Python's subprocess.run() waits. Signals reach us through a
** descriptor, so nothing happens between two steps; those that are meant to end us are passed on to the group, and
** the run counts as failed. On the timeout the group and whoever left it get TERM, and KILL when they have not gone
** GRACE_MS later; so does what is left when a command has ended to which a signal was passed on. The command is not
** reaped before the last signal is sent, so its group's number cannot be somebody else's by then.
**
** Exit status: the command's own; 128 + signal; 124 timed out; 126, 127 it could not be started. If that would be 0,
** but the run could not be recorded, or its output not be shown: 3.
*/
#include "base/base.h"
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS 5000       /* between TERM and KILL */
#define DRAIN_MS 2000       /* after KILL, until it has worked, and for what is still in the pipes */
#define SHOW_BYTES PIPE_BUF /* a pipe that polls writable takes as much without blocking */

enum { EXIT_USAGE = 2, EXIT_IO = 3, EXIT_TIMED_OUT = 124, EXIT_NOT_STARTED = 126, EXIT_NOT_FOUND = 127 };

/* One of the command's two streams. */
typedef struct Stream {
  const char *name; /* for messages */
  int from;         /* the pipe's end that we read; -1 behind the last byte */
  int to;           /* where it is shown */
  unsigned char buffer[SHOW_BYTES];
  size_t length, written; /* of what is in the buffer */
  bool refused;           /* nothing more can be written there */
  Capture capture;
  Kept kept;
} Stream;

_Static_assert(SHOW_BYTES <= KEPT_TAIL_BYTES, "all that is read at once can be kept");

typedef enum Pressure { PRESSURE_NONE, PRESSURE_TERM, PRESSURE_KILL, PRESSURE_ABANDON } Pressure;

typedef struct Run {
  Stream out, err;
  bool merged;        /* the command's standard error goes where its standard output goes */
  bool keeping;       /* --quiet: what is printed is kept, not shown */
  bool lost;          /* some output was not read, or not shown */
  char **environment; /* the command's */
  pid_t command;
  Offspring offspring;
  bool has_offspring;       /* as far as is known; looked after only when there is pressure */
  int complaint;            /* where the new process says why it could not become the command; -1 when that is over */
  int start_error;          /* errno, if the command could not be started */
  int signals;              /* signals_open() */
  sigset_t outer_mask;      /* as it was when we came */
  void (*outer_limit)(int); /* what SIGXFSZ did then */
  bool ended;               /* the command itself; its pipes may still be open */
  int wait_status;          /* then; as wait() tells it */
  int interrupted_by;       /* the first signal that was passed on, or 0 */
  bool timed_out;
  Pressure pressure;    /* what has been done to end it */
  int64_t next_step_ms; /* when more is to be done; -1 never */
} Run;

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void fail(const char *what) {
  say("%s: %s", what, strerror(errno));
  exit(EXIT_IO);
}

/* --- showing and keeping ------------------------------------------------------------------------------------------ */

/* A closed pipe (EPIPE) is not an error: nobody wants the rest. */
static void refuse(Run *run, Stream *stream) {
  stream->refused = true;
  stream->length = stream->written = 0;
  kept_drop(&stream->kept);
  if (errno == EPIPE) return;
  run->lost = true;
  say("%s cannot be shown any more: %s", stream->name, strerror(errno));
}

static void write_some(Run *run, Stream *stream) {
  ssize_t count = write(stream->to, stream->buffer + stream->written, stream->length - stream->written);
  if (count < 0) {
    if (errno != EINTR && errno != EAGAIN) refuse(run, stream);
    return;
  }
  stream->written += (size_t)count;
  if (stream->written == stream->length) stream->length = stream->written = 0;
}

static void end_stream(Stream *stream) {
  if (stream->from < 0) return;
  close(stream->from);
  stream->from = -1;
  capture_end(&stream->capture);
}

/* Without a place to keep more, all is shown: what was kept so far, and then the rest as it comes. */
static void keep(Run *run, Stream *stream, size_t length) {
  int reason = kept_add(&stream->kept, stream->buffer, length);
  if (reason == 0) return;
  say("cannot keep the output, so it is shown: %s", strerror(reason));
  run->keeping = false;
}

static void read_some(Run *run, Stream *stream) {
  ssize_t count = read(stream->from, stream->buffer, sizeof stream->buffer);
  if (count < 0 && errno == EINTR) return;
  if (count < 0) {
    run->lost = true;
    say("the command's %s cannot be read any more: %s", stream->name, strerror(errno));
  }
  if (count <= 0) {
    end_stream(stream);
    return;
  }
  capture_bytes(&stream->capture, stream->buffer, (size_t)count);
  if (run->keeping) {
    keep(run, stream, (size_t)count);
  } else {
    stream->length = stream->refused ? 0 : (size_t)count;
  }
}

static bool stream_is_done(const Run *run, const Stream *stream) {
  return stream->from < 0 && stream->length == 0 && (run->keeping || kept_is_empty(&stream->kept));
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP};

/* A signal that was ignored when we came (nohup, a shell's background job) stays ignored, here and in the command. */
static void take_signals(Run *run) {
  sigset_t ours;
  sigemptyset(&ours);
  sigaddset(&ours, SIGCHLD);
  for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++) {
    struct sigaction before;
    sigaction(passed_on[i], NULL, &before);
    if (before.sa_handler != SIG_IGN) sigaddset(&ours, passed_on[i]);
  }
  run->signals = signals_open(&ours);
  if (run->signals < 0) fail("signals");
  sigaddset(&ours, SIGTTOU); /* so that we can take the terminal back */
  sigprocmask(SIG_BLOCK, &ours, &run->outer_mask);
  signal(SIGCHLD, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
  run->outer_limit = signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is to be an error like others */
}

/* In the new process. Does not return; what went wrong goes into the pipe. */
static void become_command(const Run *run, char **argv, int out, int err, int complaint) {
  setpgid(0, 0);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, run->outer_limit);
  sigprocmask(SIG_SETMASK, &run->outer_mask, NULL);
  environ = run->environment;
  execvp(argv[0], argv);
  int error = errno;
  ssize_t written = write(complaint, &error, sizeof error);
  _exit(written == sizeof error ? EXIT_NOT_STARTED : EXIT_NOT_FOUND);
}

static void start(Run *run, char **argv) {
  int out[2], err[2], complaint[2];
  if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(complaint, O_CLOEXEC)) fail("pipe");
  offspring_begin(&run->offspring);
  run->command = run->offspring.command = fork();
  if (run->command < 0) fail("fork");
  if (run->command == 0) become_command(run, argv, out[1], run->merged ? out[1] : err[1], complaint[1]);
  setpgid(run->command, run->command); /* whoever comes first */
  close(out[1]);
  close(err[1]);
  close(complaint[1]);
  run->out.from = out[0];
  run->err.from = err[0]; /* of merged streams, it ends at once */
  run->complaint = complaint[0];
}

/* The pipe's end without a word: the command has begun. */
static void hear_complaint(Run *run, const char *command) {
  int error;
  ssize_t length = read(run->complaint, &error, sizeof error);
  if (length < 0 && errno == EINTR) return;
  close(run->complaint);
  run->complaint = -1;
  if (length != sizeof error) return;
  run->start_error = error;
  say("%s: %s", command, strerror(error));
}

/* --- the course of things ----------------------------------------------------------------------------------------- */

static void signal_group(const Run *run, int number) {
  kill(-run->command, number);
}

static void abandon(Stream *stream, bool *lost) {
  end_stream(stream);
  if (stream->length == 0) return;
  stream->length = stream->written = 0;
  kept_drop(&stream->kept);
  *lost = true;
  say("nobody reads %s, so not all of it was shown", stream->name);
}

/* Escalates: TERM, then KILL, then gives up on the pipes. */
static void press(Run *run) {
  switch (++run->pressure) {
  case PRESSURE_TERM:
    signal_group(run, SIGTERM);
    signal_group(run, SIGCONT);
    run->has_offspring = offspring_tell(&run->offspring, SIGTERM);
    run->next_step_ms = now_ms() + GRACE_MS;
    break;
  case PRESSURE_KILL:
    signal_group(run, SIGKILL);
    run->has_offspring = offspring_tell(&run->offspring, SIGKILL);
    run->next_step_ms = now_ms() + DRAIN_MS;
    break;
  default: /* another user's, say */
    if (!run->ended || offspring_tell(&run->offspring, SIGKILL)) say("not all of the command could be ended");
    abandon(&run->out, &run->lost);
    abandon(&run->err, &run->lost);
    run->next_step_ms = -1;
  }
}

/* Whenever a child has ended, its own children may have become ours. */
static void look_after_offspring(Run *run) {
  if (run->pressure == PRESSURE_NONE) {
    offspring_reap(&run->offspring);
  } else {
    run->has_offspring = offspring_tell(&run->offspring, run->pressure == PRESSURE_TERM ? SIGTERM : SIGKILL);
  }
}

/* On a terminal: the command may have it when it asks; and when it is stopped, so are we, until a shell continues
** us. */
static void command_stopped(Run *run, int number) {
  bool asks = number == SIGTTIN || number == SIGTTOU;
  pid_t ours = getpgrp();
  if (!isatty(STDIN_FILENO)) return;
  if (!asks || tcgetpgrp(STDIN_FILENO) != ours) {
    if (tcgetpgrp(STDIN_FILENO) == run->command) tcsetpgrp(STDIN_FILENO, ours);
    raise(SIGSTOP);
  }
  if (tcgetpgrp(STDIN_FILENO) == ours) tcsetpgrp(STDIN_FILENO, run->command);
  signal_group(run, SIGCONT);
}

static void look_after_command(Run *run) {
  siginfo_t info = {0};
  if (waitid(P_PID, (id_t)run->command, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) run->ended = true;
  info.si_pid = 0;
  if (waitid(P_PID, (id_t)run->command, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid) {
    command_stopped(run, info.si_status);
  }
}

static void take_signal(Run *run) {
  int number = signals_take(run->signals);
  if (number == 0) return;
  if (number == SIGCHLD) {
    look_after_command(run);
    look_after_offspring(run);
    return;
  }
  if (number != SIGTSTP && run->interrupted_by == 0) run->interrupted_by = number;
  signal_group(run, number);
}

/* What was kept is shown before anything that is read later. */
static void take_kept(Run *run, Stream *stream) {
  ssize_t count = kept_take(&stream->kept, stream->buffer, sizeof stream->buffer);
  if (count < 0) {
    run->lost = true;
    say("what was kept of %s cannot be read: %s", stream->name, strerror(errno));
    kept_drop(&stream->kept);
  } else {
    stream->length = (size_t)count;
  }
}

/* What a stream waits for: more to read, or room for what was read. */
static struct pollfd wanted(Run *run, Stream *stream) {
  if (!run->keeping && stream->length == 0) take_kept(run, stream);
  if (stream->length) return (struct pollfd){.fd = stream->to, .events = POLLOUT};
  return (struct pollfd){.fd = stream->from, .events = POLLIN}; /* -1 is passed over */
}

static void serve(Run *run, Stream *stream, const struct pollfd *ready) {
  if (ready->revents == 0) return;
  if (stream->length) {
    write_some(run, stream);
  } else if (stream->from >= 0) {
    read_some(run, stream);
  }
}

static int milliseconds_left(const Run *run) {
  if (run->next_step_ms < 0) return -1;
  int64_t left = run->next_step_ms - now_ms();
  return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static bool is_over(const Run *run) {
  if (run->pressure == PRESSURE_ABANDON) return true;
  return run->ended && run->complaint < 0 && stream_is_done(run, &run->out) && stream_is_done(run, &run->err) &&
         (run->pressure == PRESSURE_NONE ? run->interrupted_by == 0 : !run->has_offspring);
}

/* Until the command has ended and all its output has gone where it goes; and, if it was ended, until all is gone that
** it has started. */
static void attend(Run *run, const char *command) {
  while (!is_over(run)) {
    struct pollfd ready[] = {{.fd = run->signals, .events = POLLIN},
                             {.fd = run->complaint, .events = POLLIN},
                             wanted(run, &run->out),
                             wanted(run, &run->err)};
    int left = milliseconds_left(run);
    if (left == 0) {
      if (run->pressure == PRESSURE_NONE) run->timed_out = true;
      press(run);
    } else if (run->ended && run->interrupted_by && run->pressure == PRESSURE_NONE) {
      press(run);
    } else if (poll(ready, 4, left) > 0) {
      if (ready[1].revents) hear_complaint(run, command);
      serve(run, &run->out, &ready[2]);
      serve(run, &run->err, &ready[3]);
      if (ready[0].revents) take_signal(run);
    }
  }
}

/* --- what is told ------------------------------------------------------------------------------------------------- */

static int exit_status(const Run *run) {
  if (run->start_error) return run->start_error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_STARTED;
  if (run->timed_out) return EXIT_TIMED_OUT;
  if (WIFSIGNALED(run->wait_status)) return 128 + WTERMSIG(run->wait_status);
  int status = WEXITSTATUS(run->wait_status);
  return status == 0 && run->interrupted_by ? 128 + run->interrupted_by : status;
}

/* The recorder is left alone by signals: what is known by now is to be recorded. */
static void become_recorder(const Run *run, char **argv, int in) {
  for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++) signal(passed_on[i], SIG_IGN);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, run->outer_limit);
  sigprocmask(SIG_SETMASK, &run->outer_mask, NULL);
  dup2(in, STDIN_FILENO);
  execvp(argv[0], argv);
  say("%s: %s", argv[0], strerror(errno));
  _exit(EXIT_NOT_FOUND);
}

static bool record(const Run *run, const Ending *ending, char **recorder) {
  int in[2], result = -1;
  if (pipe2(in, O_CLOEXEC)) {
    say("pipe: %s", strerror(errno));
    return false;
  }
  pid_t pid = fork();
  if (pid == 0) become_recorder(run, recorder, in[0]);
  if (pid < 0) say("fork: %s", strerror(errno));
  close(in[0]);
  FILE *report = pid < 0 ? NULL : fdopen(in[1], "w");
  if (pid > 0 && report == NULL) say("%s: %s", recorder[0], strerror(errno));
  if (report == NULL) return false;
  report_write(ending, report);
  bool sent = fclose(report) == 0;
  while (waitpid(pid, &result, 0) < 0 && errno == EINTR) continue;
  return sent && WIFEXITED(result) && WEXITSTATUS(result) == 0;
}

/* When all else is done. A signal ends it: whoever reads may have stopped. */
static void show_kept(Run *run, Stream *stream) {
  run->keeping = false;
  while (!stream_is_done(run, stream)) {
    struct pollfd ready[] = {{.fd = run->signals, .events = POLLIN}, wanted(run, stream)};
    if (poll(ready, 2, -1) <= 0) continue;
    if (ready[1].revents) write_some(run, stream);
    int number = ready[0].revents ? signals_take(run->signals) : 0;
    if (number != 0 && number != SIGCHLD && number != SIGTSTP) exit(128 + number);
  }
}

static void run_command(Run *run, char **command, int64_t timeout_ms) {
  take_signals(run);
  start(run, command);
  run->next_step_ms = timeout_ms ? now_ms() + timeout_ms : -1;
  attend(run, command[0]);
  while (run->ended && waitpid(run->command, &run->wait_status, 0) < 0 && errno == EINTR) continue;
  if (isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == run->command) tcsetpgrp(STDIN_FILENO, getpgrp());
}

/* 0: none. Ends the process if it is not a length of time: nothing has been done yet. */
static int64_t take_timeout(const char *text) {
  int64_t timeout_ms = 0;
  if (strcmp(text, "-") == 0 || timeout_parse(text, &timeout_ms)) return timeout_ms;
  say("--timeout wants seconds, or a length of time (" TR_TIMESPAN_FORMS "), longer than 0, not '%s'", text);
  say("try: taskresults help run");
  exit(EXIT_USAGE);
}

/* The command's environment, from the descriptor whose number is the text; the descriptor is not the command's. */
static char **take_environment(const char *text) {
  if (strcmp(text, "-") == 0) return environ;
  int fd = atoi(text);
  char **environment = environment_read(fd);
  if (environment == NULL) fail("the command's environment");
  close(fd);
  return environment;
}

int main(int argc, char **argv) {
  static Run run = {.out = {.name = "standard output", .from = -1, .to = STDOUT_FILENO},
                    .err = {.name = "standard error", .from = -1, .to = STDERR_FILENO}};
  if (argc == 4 && strcmp(argv[1], "--write") == 0) return write_main(argv[2], argv[3]);
  if (argc == 4 && strcmp(argv[1], "--watch") == 0) return watch_main(argv[2], argv[3]);
  int words = argc > 4 ? atoi(argv[4]) : 0;
  if (words < 1 || argc < 6 + words) {
    say("taskresults-run is a part of `taskresults run`, which starts it");
    return EXIT_USAGE;
  }
  run.environment = take_environment(argv[3]);
  char **recorder = argv + 5, **command = recorder + words;
  char said_of_timeout[TIMEOUT_WORDS_SIZE];
  int64_t timeout_ms = take_timeout(argv[1]);
  timeout_words(timeout_ms, said_of_timeout);
  run.keeping = strncmp(argv[2], "quiet", 5) == 0;
  run.merged = strstr(argv[2], "+merge") != NULL;
  run_command(&run, command, timeout_ms);
  int status = exit_status(&run);
  Ending ending = {.command = command[0],
                   .out = &run.out.capture,
                   .err = &run.err.capture,
                   .is_success = status == 0,
                   .start_error = run.start_error,
                   .timed_out = run.timed_out,
                   .timeout_words = said_of_timeout,
                   .interrupted_by = run.interrupted_by,
                   .wait_status = run.wait_status};
  command[0] = NULL; /* the end of the recorder's words */
  bool recorded = record(&run, &ending, recorder);
  if (!recorded) say("THIS RUN WAS NOT RECORDED");
  if (status || !recorded) {
    show_kept(&run, &run.out);
    show_kept(&run, &run.err);
  }
  return status == 0 && (!recorded || run.lost) ? EXIT_IO : status;
}
