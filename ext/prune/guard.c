/*
** guard.c - what a prune refuses to do unless it is forced ('force', 1).
**
**   `since` is later than now           a mistake in the time: everything would go
**   'keep', 0 and no other rule         everything would go as well; so it would with 'max_bytes', 0
**   no record would be left in any job  of the directory. A prune that empties only some jobs is allowed
**
** All of this is checked before anything is locked or changed. The third check ends at the first record that stays,
** usually the last line of the first job. So the last lines of all jobs are looked at first, and whole files only if
** none of those stays. A job that cannot be read counts as a job without records.
**
** Only when it refuses does it count what would go, with the range of times.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LAST_LINES 64
#define ALL_LINES INT64_MAX

typedef struct Loss {
  int64_t jobs, records;
  int64_t untimed;           /* of the records: those without a readable time */
  int64_t others;            /* lines that are not records */
  int64_t first_us, last_us; /* of the other records; set if records > untimed */
} Loss;

/* One pass over jobs of the directory, up to the first record that stays, or through all to count what goes. */
typedef struct Look {
  TrDir *dir; /* borrowed, like all that follows */
  TrPoll *poll;
  const TrPruneOptions *options; /* NULL: every record stays */
  const TrMarks *marks;
  size_t max_line;
  const char *except; /* a file that is not looked at; or NULL */
  int64_t most_lines; /* of each file */
  Loss *loss;         /* NULL: stop at the first record that stays */
  bool stays;         /* one was found */
  int64_t unread;     /* files that could not be read, */
  int unread_errno;   /* the last one for this reason */
  TrLines lines;      /* owned, during look_at() */
} Look;

/* The rules for a file; NULL: all of its records stay. */
static const TrPruneOptions *options_of(const Look *look, const char *name) {
  if (look->options == NULL || look->options->policy == NULL) return look->options;
  char job_id[TR_NAME_SIZE];
  snprintf(job_id, sizeof job_id, "%.*s", (int)strlen(name) - TR_SUFFIX_LEN, name);
  const TrPolicyRule *rule = tr_policy_find(look->options->policy, job_id);
  return rule && !rule->options.keeps_all ? &rule->options : NULL;
}

/* --- one file ----------------------------------------------------------------------------------------------------- */

static void count_lost(Loss *loss, TrParser *parser, const TrLine *line) {
  TrRecord record;
  int64_t time_us;
  TrReason reason = tr_parse(parser, line, &record);
  loss->others += reason != TR_OK && reason != TR_BLANK;
  if (reason != TR_OK) return;
  bool is_timed = tr_span_time_us(line, &record.field[TR_TIMESTAMP], &time_us);
  bool is_first = is_timed && loss->records == loss->untimed;
  if (is_timed && (is_first || time_us < loss->first_us)) loss->first_us = time_us;
  if (is_timed && (is_first || time_us > loss->last_us)) loss->last_us = time_us;
  loss->untimed += !is_timed;
  loss->records++;
}

static int look_at_lines(Look *look, const char *name, const TrFile *file) {
  static const TrPruneOptions keep_all = {.by_count = true, .keep = INT64_MAX};
  TrRules rules;
  TrLine line;
  const char *unused;
  const TrPruneOptions *options = options_of(look, name);
  tr_rules_begin(&rules, options ? options : &keep_all);
  if (options && !options->unshipped) {
    rules.shipped_to = tr_marks_end(look->marks, name, &file->stat, &unused);
  }
  int code = tr_lines_open(&look->lines, file->fd, 0, file->stat.st_size, look->max_line, true, look->poll);
  for (int64_t i = 0; code == SQLITE_OK && i < look->most_lines && !(look->stays && !look->loss); i++) {
    code = tr_lines_next(&look->lines, &line);
    if (code != SQLITE_ROW) break;
    code = SQLITE_OK;
    if (!line.terminated) continue; /* it stays in any case, but may not be a complete record */
    if (!tr_rules_keep(&rules, &line) && look->loss) count_lost(look->loss, &rules.parser, &line);
    look->stays = look->stays || rules.kept > 0;
  }
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

static void note_unread(Look *look, int reason) {
  look->unread_errno = reason;
  look->unread++;
}

/* SQLITE_DONE: the answer is known. */
static int look_at_file(void *context, const char *name) {
  Look *look = context;
  TrFile file = {.fd = -1};
  TrEntry entry;
  if (!tr_name_is_job_file(name, strlen(name)) || (look->except && strcmp(name, look->except) == 0)) return SQLITE_OK;
  int code = tr_dir_open_file(look->dir, name, look->poll, &file, &entry);
  if (code == SQLITE_OK && entry == TR_ENTRY_UNREADABLE) note_unread(look, file.error_number);
  if (code != SQLITE_OK || entry != TR_ENTRY_READABLE) return code;
  int64_t lost = look->loss ? look->loss->records + look->loss->others : 0;
  code = look_at_lines(look, name, &file);
  int reason = errno;
  tr_file_close(&file);
  if (look->loss && look->loss->records + look->loss->others > lost) look->loss->jobs++;
  if (code == SQLITE_OK) return look->stays && !look->loss ? SQLITE_DONE : SQLITE_OK;
  if (code == SQLITE_INTERRUPT || code == SQLITE_NOMEM) return code;
  note_unread(look, reason ? reason : EIO);
  return SQLITE_OK;
}

/* --- which files -------------------------------------------------------------------------------------------------- */

/* The one job's file, or all. */
static int look_at(Look *look, const char *name, char **message) {
  int code = name ? look_at_file(look, name) : tr_dir_list(look->dir, look->poll, look_at_file, look, message);
  tr_lines_close(&look->lines);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Would any record be left in the directory? All records of jobs that are not pruned are. */
static int find_one_that_stays(const Look *pruned, const char *name, bool *stays, char **message) {
  static const int64_t depths[] = {LAST_LINES, ALL_LINES};
  int code = SQLITE_OK;
  *stays = false;
  for (int i = 0; i < 2 && code == SQLITE_OK && !*stays; i++) {
    Look ours = *pruned, others = *pruned;
    ours.most_lines = others.most_lines = depths[i];
    others.options = NULL;
    others.except = name;
    code = look_at(&ours, name, message);
    if (code == SQLITE_OK && !ours.stays && name) code = look_at(&others, NULL, message);
    *stays = ours.stays || (name && others.stays);
  }
  return code;
}

/* An interrupted prune left records, which the next prune of the job would restore first. */
static bool has_leftover(const TrDir *dir, const char *name) {
  static const char *const suffix[] = {".new", ".journal"};
  char leftover[TR_LEFTOVER_NAME_SIZE];
  struct stat found;
  for (int i = 0; i < 2; i++) {
    tr_leftover_name(name, strlen(name) - TR_SUFFIX_LEN, suffix[i], leftover);
    if (fstatat(dir->fd, leftover, &found, AT_SYMLINK_NOFOLLOW) == 0) return true;
  }
  return false;
}

/* --- the refusal -------------------------------------------------------------------------------------------------- */

static void append_loss(sqlite3_str *out, const Loss *loss) {
  char first[TR_TIMESTAMP_SIZE], last[TR_TIMESTAMP_SIZE];
  if (loss->records + loss->others == 0) {
    sqlite3_str_appendall(out, "nothing would go");
    return;
  }
  sqlite3_str_appendf(out, "%lld record%s", (long long)loss->records, loss->records == 1 ? "" : "s");
  if (loss->others)
    sqlite3_str_appendf(out, " and %lld other line%s", (long long)loss->others, &"s"[loss->others == 1]);
  sqlite3_str_appendf(out, " of %lld job%s would go", (long long)loss->jobs, loss->jobs == 1 ? "" : "s");
  if (loss->records > loss->untimed) {
    tr_timestamp_format(loss->first_us, first);
    tr_timestamp_format(loss->last_us, last);
    sqlite3_str_appendf(out, ", from %s to %s", first, last);
  }
  if (loss->untimed) sqlite3_str_appendf(out, ", %lld without a readable time", (long long)loss->untimed);
}

static void append_unread(sqlite3_str *out, const Look *look) {
  if (look->unread == 0) return;
  sqlite3_str_appendf(out, "; not counting %lld job%s that cannot be read (%s)", (long long)look->unread,
                      look->unread == 1 ? "" : "s", strerror(look->unread_errno));
}

/* `mistake`: the rules that are one by themselves; NULL: it is what would be left. */
static void append_cause(sqlite3_str *out, const Look *look, const TrPruneOptions *mistake) {
  char cut[TR_TIMESTAMP_SIZE];
  const TrPolicy *policy = look->options->policy;
  if (mistake == NULL) {
    sqlite3_str_appendf(out, "no record would be left in any job of %s", look->dir->path);
    return;
  }
  for (size_t i = 0; policy && i < policy->count; i++) {
    if (&policy->rule[i].options == mistake) sqlite3_str_appendf(out, "rule %d of the policy: ", (int)i + 1);
  }
  if (mistake->by_size && mistake->max_bytes == 0) {
    sqlite3_str_appendall(out, "max_bytes 0 keeps nothing");
  } else if (tr_rules_keep_nothing(mistake)) {
    sqlite3_str_appendall(out, "keep 0 keeps nothing, and no other rule does");
  } else {
    tr_timestamp_format(mistake->since_us, cut);
    sqlite3_str_appendf(out, "since is later than now (%s)", cut);
  }
}

static int unread_error(const Look *look, const char *name, const char *what, int reason, char **message) {
  return tr_error(message, tr_error_code(reason), "job '%.*s': %s/%s cannot be %s: %s (nothing was changed)",
                  (int)strlen(name) - TR_SUFFIX_LEN, name, look->dir->path, name, what, strerror(reason));
}

static int refuse_loss(const Look *pruned, const char *name, const TrPruneOptions *mistake, char **refusal,
                       char **message) {
  Loss loss = {0};
  Look look = *pruned;
  look.loss = &loss;
  look.most_lines = ALL_LINES;
  int code = look_at(&look, name, message);
  if (code == SQLITE_OK && name && look.unread_errno)
    return unread_error(&look, name, "read", look.unread_errno, message);
  if (code != SQLITE_OK || (mistake == NULL && loss.records == 0)) return code;
  sqlite3_str *out = sqlite3_str_new(NULL);
  append_cause(out, pruned, mistake);
  sqlite3_str_appendall(out, ": ");
  append_loss(out, &loss);
  if (name && has_leftover(look.dir, name)) sqlite3_str_appendall(out, ", and what an interrupted prune left");
  append_unread(out, &look);
  code = sqlite3_str_errcode(out);
  *refusal = sqlite3_str_finish(out);
  return code;
}

/* *known: the file can be read, or a recovery would make it. If neither, the prune itself reports why. */
static int check_one(const Look *look, const char *name, bool *known, char **message) {
  TrFile file = {.fd = -1};
  TrEntry entry;
  int code = tr_dir_open_file(look->dir, name, look->poll, &file, &entry);
  if (code != SQLITE_OK) return code;
  *known = entry == TR_ENTRY_READABLE || (entry == TR_ENTRY_VANISHED && has_leftover(look->dir, name));
  tr_file_close(&file);
  if (entry != TR_ENTRY_UNREADABLE) return SQLITE_OK;
  if (file.error_number != EAGAIN) return unread_error(look, name, "opened", file.error_number, message);
  return tr_error(message, SQLITE_BUSY,
                  "job '%.*s': %s/%s is busy: another program has leased it (nothing was changed)",
                  (int)strlen(name) - TR_SUFFIX_LEN, name, look->dir->path, name);
}

/* Rules that are a mistake whatever the files hold; or NULL. */
static const TrPruneOptions *find_mistake(const TrPruneOptions *options) {
  int64_t now_us = tr_clock_us();
  if (options->policy) {
    const TrPolicyRule *rule = tr_policy_mistake(options->policy, now_us);
    return rule ? &rule->options : NULL;
  }
  return tr_rules_are_a_mistake(options, now_us) ? options : NULL;
}

int tr_guard(TrDir *dir, TrPoll *poll, const TrPruneOptions *options, const TrMarks *marks, size_t max_line,
             const char *name, char **refusal, char **message) {
  Look look = {.dir = dir, .poll = poll, .options = options, .marks = marks, .max_line = max_line};
  const TrPruneOptions *mistake = find_mistake(options);
  bool stays = false, known = true;
  *refusal = NULL;
  if (options->force) return SQLITE_OK;
  int code = name ? check_one(&look, name, &known, message) : SQLITE_OK;
  if (code != SQLITE_OK || !known) return code;
  if (mistake == NULL) code = find_one_that_stays(&look, name, &stays, message);
  return code == SQLITE_OK && !stays ? refuse_loss(&look, name, mistake, refusal, message) : code;
}
