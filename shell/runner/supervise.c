/*
** supervise.c - starts a command, waits until it has ended and its output is handled, and ends it on a timeout or a
** signal.
**
** The command gets our standard input, a process group of its own, and pipes for its output: we also wait for
** background processes that keep these pipes open, as Python's subprocess.run() does. Signals that would end us are
** passed on to the group, and the run counts as failed. On the timeout, the group and processes that left it get TERM,
** and KILL if they are still there GRACE_MS later. The same happens to processes that remain when a command has ended
** after a signal. The command is reaped only after the last signal, so that its group's number cannot belong to others
** by then.
*/
#include "base/base.h"
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 5000 /* between TERM and KILL */
#define DRAIN_MS 2000 /* after KILL: until all have ended, and to read the rest of the pipes */

/* --- starting ----------------------------------------------------------------------------------------------------- */

/* Runs in the new process, and does not return. Errors go into the pipe `complaint`. */
static void become_command(const Run *run, char **argv, int out, int err, int complaint) {
  setpgid(0, 0);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  signals_give_back(run->signals);
  environ = run->settings->environment;
  execvp(argv[0], argv);
  int error = errno;
  ssize_t written = write(complaint, &error, sizeof error);
  _exit(written == sizeof error ? EXIT_NOT_STARTED : EXIT_NOT_FOUND);
}

static void start(Run *run, char **argv) {
  int out[2], err[2], complaint[2];
  if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(complaint, O_CLOEXEC)) run_fail("pipe");
  offspring_begin(&run->offspring);
  run->command = run->offspring.command = fork();
  if (run->command < 0) run_fail("fork");
  if (run->command == 0) become_command(run, argv, out[1], run->settings->is_merged ? out[1] : err[1], complaint[1]);
  setpgid(run->command, run->command); /* parent and child both do it, as either may be first */
  close(out[1]);
  close(err[1]);
  close(complaint[1]);
  run->out.from = out[0];
  run->err.from = err[0]; /* if streams are merged, it ends at once */
  run->complaint = complaint[0];
}

/* If the pipe ends without a message, the command has started. */
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
  default: /* such as another user's */
    if (!run->ended || offspring_tell(&run->offspring, SIGKILL)) say("not all of the command could be ended");
    stream_abandon(&run->out);
    stream_abandon(&run->err);
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

/* On a terminal: the command gets the terminal when it needs it; and when it is stopped, we stop too, until a shell
** continues us. */
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
  int number = signals_take(run->signals->fd);
  if (number == 0) return;
  if (number == SIGCHLD) {
    look_after_command(run);
    look_after_offspring(run);
    return;
  }
  if (number != SIGTSTP && run->interrupted_by == 0) run->interrupted_by = number;
  signal_group(run, number);
}

static bool is_over(const Run *run) {
  if (run->pressure == PRESSURE_ABANDON) return true;
  return run->ended && run->complaint < 0 && stream_is_done(&run->out) && stream_is_done(&run->err) &&
         (run->pressure == PRESSURE_NONE ? run->interrupted_by == 0 : !run->has_offspring);
}

/* Waits until the command has ended and its output is handled; and if we ended it, until all its offspring have
** ended. */
static void attend(Run *run) {
  while (!is_over(run)) {
    struct pollfd ready[] = {{.fd = run->signals->fd, .events = POLLIN},
                             {.fd = run->complaint, .events = POLLIN},
                             stream_wanted(&run->out),
                             stream_wanted(&run->err)};
    if (is_over(run)) break; /* what was kept could not be read */
    int left = milliseconds_until(run->next_step_ms);
    if (left == 0) {
      if (run->pressure == PRESSURE_NONE) run->timed_out = true;
      press(run);
    } else if (run->ended && run->interrupted_by && run->pressure == PRESSURE_NONE) {
      press(run);
    } else if (poll(ready, 4, left) > 0) {
      if (ready[1].revents) hear_complaint(run, run->settings->command[0]);
      stream_serve(&run->out, &ready[2]);
      stream_serve(&run->err, &ready[3]);
      if (ready[0].revents) take_signal(run);
    }
  }
}

void supervise(Run *run, const Settings *settings, const Signals *signals) {
  run->settings = settings;
  run->signals = signals;
  stream_begin(&run->out, "standard output", STDOUT_FILENO, &run->showing);
  stream_begin(&run->err, "standard error", STDERR_FILENO, &run->showing);
  run->showing.keeping = settings->is_quiet;
  start(run, settings->command);
  run->next_step_ms = settings->timeout_ms ? now_ms() + settings->timeout_ms : -1;
  attend(run);
  if (run->ended) (void)TEMP_FAILURE_RETRY(waitpid(run->command, &run->wait_status, 0));
  if (isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == run->command) tcsetpgrp(STDIN_FILENO, getpgrp());
}

int run_exit_status(const Run *run) {
  if (run->start_error) return run->start_error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_STARTED;
  if (run->timed_out) return EXIT_TIMED_OUT;
  if (WIFSIGNALED(run->wait_status)) return 128 + WTERMSIG(run->wait_status);
  int status = WEXITSTATUS(run->wait_status);
  return status == 0 && run->interrupted_by ? 128 + run->interrupted_by : status;
}
