/*
** settings.c - the arguments from shell/commands/run.bash -> what is to be done.
**
**   taskresults-run SETTING... N RECORDER... COMMAND...
**
** A setting is NAME or NAME=VALUE, of the table below. RECORDER, N words long, is a program that gets on its standard
** input how the command ended (record.c).
*/
#include "base/base.h"
#include "runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define US_PER_MS 1000

_Noreturn static void refuse_option(const Settings *settings, const char *option, const char *wanted,
                                    const char *text) {
  say("%s wants %s, not '%s'", option, wanted, text);
  say("try: %s help run", settings->called);
  exit(EXIT_USAGE);
}

static void set_timeout(Settings *settings, const char *text) {
  if (timeout_parse(text, &settings->timeout_ms)) return;
  refuse_option(settings, "--timeout", "seconds, or a length of time (" TR_TIMESPAN_FORMS "), longer than 0", text);
}

/* The command's environment, from the descriptor whose number is the text; the command does not inherit that
** descriptor. */
static void set_environment(Settings *settings, const char *text) {
  int fd = atoi(text);
  settings->environment = environment_read(fd);
  if (settings->environment == NULL) run_fail("the command's environment");
  close(fd);
}

static void set_jitter(Settings *settings, const char *text) {
  int64_t jitter_us;
  if (!tr_timespan_parse(text, strlen(text), true, &jitter_us)) {
    refuse_option(settings, "--jitter", "seconds, or a length of time (" TR_TIMESPAN_FORMS ")", text);
  }
  settings->jitter_ms = jitter_us / US_PER_MS;
}

static void set_lock(Settings *settings, const char *text) {
  if (strcmp(text, "skip") != 0 && strcmp(text, "wait") != 0) refuse_option(settings, "--lock", "skip or wait", text);
  settings->lock = *text == 's' ? LOCK_SKIP : LOCK_WAIT;
}

/* A URL is not repeated in the message, which may be logged. */
static void set_ping(Settings *settings, const char *text) {
  settings->ping = text;
  if (strcmp(text, "env") == 0 || (*text == '@' && text[1])) return;
  if (strstr(text, "://") == NULL) refuse_option(settings, "--ping", "env or @FILE", text);
  say("--ping takes no URL: it is a secret, which everybody could see in the list of processes. Put it into "
      "TASKRESULTS_PING_URL and say --ping env, or into a file and say --ping @FILE");
  say("try: %s help run", settings->called);
  exit(EXIT_USAGE);
}

static void set_called(Settings *settings, const char *text) {
  settings->called = text;
}

static void set_job(Settings *settings, const char *text) {
  settings->job = text;
}

static void set_results(Settings *settings, const char *text) {
  settings->results = text;
}

static void set_logs(Settings *settings, const char *text) {
  settings->logs = text;
}

static void set_hides_command(Settings *settings, const char *text) {
  (void)text;
  settings->hides_command = true;
}

static void set_quiet(Settings *settings, const char *text) {
  (void)text;
  settings->is_quiet = true;
}

static void set_merge(Settings *settings, const char *text) {
  (void)text;
  settings->is_merged = true;
}

static const struct {
  const char *name; /* with = if it has a value */
  void (*set)(Settings *settings, const char *value);
} known[] = {
    {"called=", set_called},   {"environment=", set_environment},
    {"jitter=", set_jitter},   {"job=", set_job},
    {"lock=", set_lock},       {"logs=", set_logs},
    {"merge", set_merge},      {"no-log-command", set_hides_command},
    {"ping=", set_ping},       {"quiet", set_quiet},
    {"results=", set_results}, {"timeout=", set_timeout},
};

static bool set_one(Settings *settings, const char *word) {
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    size_t length = strlen(known[i].name);
    bool has_value = known[i].name[length - 1] == '=';
    if (strncmp(word, known[i].name, length) != 0 || (!has_value && word[length] != '\0')) continue;
    known[i].set(settings, word + length);
    return true;
  }
  return false;
}

static void take_recorder(Settings *settings, char **words, size_t count) {
  settings->recorder = calloc(count + 1, sizeof *words);
  if (settings->recorder == NULL) run_fail("the command's record");
  memcpy(settings->recorder, words, count * sizeof *words);
}

bool settings_read(Settings *settings, char **words) {
  settings->environment = environ;
  settings->called = "taskresults";
  for (; *words && !tr_is_digit(**words); words++) {
    if (!set_one(settings, *words)) return false;
  }
  size_t count = *words ? (size_t)atoi(*words) : 0, given = 0;
  while (*words && words[1 + given]) given++;
  if (count < 1 || given <= count) return false;
  take_recorder(settings, words + 1, count);
  settings->command = words + 1 + count;
  return true;
}
