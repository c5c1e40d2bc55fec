/*
** settings.c - the words that shell/commands/run.bash starts us with -> what is to be done.
**
**   taskresults-run SETTING... N RECORDER... COMMAND...
**
** A setting is NAME or NAME=VALUE, of the table below. RECORDER, N words of it, is a program that is told on its
** standard input how the command ended (record.c).
*/
#include "base/base.h"
#include "runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn static void refuse_option(const char *option, const char *wanted, const char *text) {
  say("%s wants %s, not '%s'", option, wanted, text);
  say("try: taskresults help run");
  exit(EXIT_USAGE);
}

static void set_timeout(Settings *settings, const char *text) {
  if (timeout_parse(text, &settings->timeout_ms)) return;
  refuse_option("--timeout", "seconds, or a length of time (" TR_TIMESPAN_FORMS "), longer than 0", text);
}

/* The command's environment, from the descriptor whose number is the text; the descriptor is not the command's. */
static void set_environment(Settings *settings, const char *text) {
  int fd = atoi(text);
  settings->environment = environment_read(fd);
  if (settings->environment == NULL) run_fail("the command's environment");
  close(fd);
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
    {"environment=", set_environment},
    {"merge", set_merge},
    {"quiet", set_quiet},
    {"timeout=", set_timeout},
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

static bool take_recorder(Settings *settings, char **words, size_t count) {
  settings->recorder = calloc(count + 1, sizeof *words);
  if (settings->recorder) memcpy(settings->recorder, words, count * sizeof *words);
  return settings->recorder != NULL;
}

bool settings_read(Settings *settings, char **words) {
  settings->environment = environ;
  for (; *words && !tr_is_digit(**words); words++) {
    if (!set_one(settings, *words)) return false;
  }
  size_t count = *words ? (size_t)atoi(*words) : 0, given = 0;
  while (*words && words[1 + given]) given++;
  if (count < 1 || given <= count || !take_recorder(settings, words + 1, count)) return false;
  settings->command = words + 1 + count;
  return true;
}
