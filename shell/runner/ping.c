/*
** ping.c - --ping: tells a dead man's switch, with the curl program, that a run begins and how it ended.
**
** Curl gets all it needs on standard input (ping_text.c), and what it has to say comes back through a pipe. The
** command does not wait for the first ping; the last one is sent after the record, when the first is over, so that they
** arrive in order. Neither may take longer than PING_SECONDS. A failed ping is reported, unless --quiet, and changes
** nothing else.
*/
#include "base/base.h"
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PING_MS (INT64_C(1000) * PING_SECONDS)

static void complain(const Ping *ping, const char *words) {
  if (!ping->is_quiet) say("the ping of the %s failed: %s", ping->what, words);
}

/* In a group of its own, so that Ctrl-C does not reach it. */
_Noreturn static void become_curl(const Ping *ping, int in, int complaint) {
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  setpgid(0, 0);
  dup2(in, STDIN_FILENO);
  if (nowhere >= 0) dup2(nowhere, STDOUT_FILENO);
  dup2(complaint, STDERR_FILENO);
  signals_give_back(ping->signals);
  environ = ping->environment;
  execlp("curl", "curl", "--disable", "--config", "-", (char *)NULL);
  dprintf(STDERR_FILENO, "the curl program: %s", strerror(errno));
  _exit(EXIT_NOT_FOUND);
}

/* False: see errno. */
static bool start_curl(Ping *ping) {
  int in[2], complaint[2];
  if (pipe2(in, O_CLOEXEC)) return false;
  if (pipe2(complaint, O_CLOEXEC)) {
    close(in[0]);
    close(in[1]);
    return false;
  }
  ping->curl = fork();
  if (ping->curl == 0) become_curl(ping, in[0], complaint[1]);
  int reason = errno;
  close(in[0]);
  close(complaint[1]);
  ping->to = in[1];
  ping->from = complaint[0];
  ping->sent = ping->heard = 0;
  ping->until_ms = now_ms() + PING_MS;
  fcntl(ping->to, F_SETFL, O_NONBLOCK);
  errno = reason;
  return ping->curl > 0;
}

static void stop_sending(Ping *ping) {
  if (ping->to >= 0) close(ping->to);
  ping->to = -1;
  free(ping->config);
  ping->config = NULL;
}

static void send_some(Ping *ping) {
  ssize_t count = write(ping->to, ping->config + ping->sent, ping->length - ping->sent);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count > 0) ping->sent += (size_t)count;
  if (count < 0 || ping->sent == ping->length) stop_sending(ping);
}

/* Reads curl's error output, as far as there is room. */
static void hear_some(Ping *ping) {
  char more[512];
  ssize_t count = read(ping->from, more, sizeof more);
  if (count < 0 && errno == EINTR) return;
  if (count <= 0) {
    close(ping->from);
    ping->from = -1;
    return;
  }
  size_t room = sizeof ping->complaint - 1 - ping->heard;
  size_t taken = (size_t)count < room ? (size_t)count : room;
  memcpy(ping->complaint + ping->heard, more, taken);
  ping->heard += taken;
}

static void send_ping(Ping *ping, const char *what, const char *action, const unsigned char *body, size_t length) {
  ping->what = what;
  FILE *config = open_memstream(&ping->config, &ping->length);
  if (config) ping_write(config, ping->url, action, body, length);
  bool written = config && fclose(config) == 0;
  if (!written || !start_curl(ping)) {
    complain(ping, strerror(errno));
    ping->curl = 0;
    stop_sending(ping);
    return;
  }
  send_some(ping);
}

/* --- its end ------------------------------------------------------------------------------------------------------ */

static void tell_end(Ping *ping, int status) {
  char words[64];
  ping->complaint[ping->heard] = '\0';
  ping->complaint[strcspn(ping->complaint, "\n")] = '\0';
  snprintf(words, sizeof words, "curl ended with status %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) complain(ping, *ping->complaint ? ping->complaint : words);
}

static void stop_curl(Ping *ping) {
  kill(ping->curl, SIGKILL);
  (void)TEMP_FAILURE_RETRY(waitpid(ping->curl, NULL, 0));
}

/* Serves curl until it has ended, its time is over or a signal comes, whose number is returned then. */
static int attend(Ping *ping) {
  int status, number = 0;
  pid_t ended = waitpid(ping->curl, &status, WNOHANG);
  while (ended == 0 && number == 0 && milliseconds_until(ping->until_ms) > 0) {
    struct pollfd ready[] = {{.fd = ping->signals->fd, .events = POLLIN},
                             {.fd = ping->to, .events = POLLOUT},
                             {.fd = ping->from, .events = POLLIN}};
    if (poll(ready, 3, milliseconds_until(ping->until_ms)) <= 0) continue;
    if (ready[1].revents) send_some(ping);
    if (ready[2].revents) hear_some(ping);
    number = ready[0].revents ? signals_take(ping->signals->fd) : 0;
    if (number == SIGCHLD || number == SIGTSTP) number = 0;
    ended = waitpid(ping->curl, &status, WNOHANG);
  }
  if (ended == ping->curl) {
    while (ping->from >= 0) hear_some(ping);
    tell_end(ping, status);
  } else {
    stop_curl(ping);
    complain(ping, number ? "it was interrupted" : "it took too long");
  }
  return number;
}

static int finish(Ping *ping) {
  int number = attend(ping);
  stop_sending(ping);
  if (ping->from >= 0) close(ping->from);
  ping->from = -1;
  ping->curl = 0;
  return number;
}

/* --- the two pings ------------------------------------------------------------------------------------------------ */

void ping_begin(Ping *ping, const Settings *settings, const Signals *signals) {
  const char *fault;
  *ping = (Ping){.signals = signals,
                 .environment = settings->environment,
                 .is_quiet = settings->is_quiet,
                 .to = -1,
                 .from = -1,
                 .what = "start"};
  if (settings->ping == NULL) return;
  ping->url = ping_url(settings->ping, &fault);
  if (ping->url == NULL) {
    bool is_file = *settings->ping == '@';
    if (!ping->is_quiet) say("no ping: %s: %s", is_file ? settings->ping + 1 : "TASKRESULTS_PING_URL", fault);
    return;
  }
  send_ping(ping, "start", "start", NULL, 0);
}

void ping_end(Ping *ping, int exit_status, const unsigned char *output, size_t length) {
  char action[16];
  int number = 0;
  if (ping->url == NULL) return;
  if (ping->curl) number = finish(ping);
  snprintf(action, sizeof action, "%d", exit_status);
  if (number == 0) send_ping(ping, "end", action, output, length);
  if (ping->curl) finish(ping);
  free(ping->url);
}
