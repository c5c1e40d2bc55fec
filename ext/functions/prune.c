/*
** functions/prune.c - taskresults_prune() and taskresults_prune_all(): retention from SQL.
**
**   SELECT taskresults_prune('my-job', 'keep', 1000);
**   SELECT taskresults_prune('my-job', 'since', '90d', 'keep_failures', 50, 'dry_run', 1);
**   SELECT value->>'$.job_id', value->>'$.result' FROM json_each(taskresults_prune_all('keep', 1000));
**
** After the job id, which is taken literally, come names and values in pairs. `keep`, `since` or `max_bytes` is
** required; with `keep` and `since`, a record stays if either keeps it.
**
**   keep N            the last N records
**   since TIME        records as new as this, and those without a readable time: TEXT as the commands take it
**                     ('2026-02-14', '90d'; no zone means UTC), or an INTEGER as in time_us
**   keep_failures N   also the last N failures that would go otherwise; only with `keep` or `since`
**   max_bytes N       of the lines that these rules keep, only the newest that fit into N bytes
**   policy PATH       instead of these, the rules of each job from a file (prune/policy.c). A job without a rule is not
**                     touched
**   drop_rejects 1    drop lines that are not records
**   count 1           read the whole file, to count the lines that go
**   dry_run 1         report what would go, change nothing (counts, takes no lock)
**   force 1           prune even if the guard refuses (ext/prune/guard.c): a `since` later than now, `keep` 0 alone, or
**                     if no record would be left in any job
**   offline 1         no writer runs: prune where leases or an atomic exchange are missing, too
**   archive 1         what goes is archived (ext/prune/archive_segment.c). Then it is always the beginning of the file:
**                     the newest line that has to go, and all before it
**   receipt 0         leave no receipt (ext/prune/receipt_file.c); then the lines that go need not be read
**   unshipped 1       drop lines that `taskresults ship` has not read yet; without it, they stay
**   dir PATH          the results directory; without it, the one that task_results reads
**
** The result is JSON: {"job_id": TEXT, "result": "pruned" | "unchanged" | "dry_run" | "refused" | "busy", "kept":
** records or null, "dropped": lines or null if they were not counted, "bytes_freed": INTEGER}, with "recovered":
** true if an interrupted prune was finished first, with "archive": the name of the segment in which the lines are,
** with "unshipped": lines and "sink": NAME if lines stay only because this sink did not ship them
** (ext/marks/ship_marks.c), and with a "reason" if busy or refused. prune_all gives an array of these, one for each
** job, in which a job that could not be pruned has "result": "failed" and its reason; the others go on. With a
** policy, "rule" is the number of the job's rule in it, or null. If the guard refuses, that is an error and nothing
** is changed; in a dry run, each report has it as "refused". A sealed file that could not be pruned has the result
** "refused" then.
**
** Both are SQLITE_DIRECTONLY: nothing in the schema of a hostile database can prune.
*/
#include "functions.h"

#include <stdio.h>
#include <string.h>

typedef struct PruneCall {
  char *refusal;            /* owned: what the guard says; a dry run goes on */
  TrConnection *connection; /* borrowed */
  TrPruneOptions options;
  const char *policy_path;  /* borrowed, or NULL */
  TrPolicy policy;          /* owned */
  const TrPolicyRule *rule; /* of the policy, for the job that is pruned now; NULL: none */
  TrSettings settings;      /* owned */
  size_t max_line;
  TrPoll poll;   /* owned */
  TrDir dir;     /* owned */
  TrMarks marks; /* owned */
} PruneCall;

/* --- options ------------------------------------------------------------------------------------------------------ */

static int value_error(const char *name, const char *wanted, char **message) {
  return tr_error(message, SQLITE_ERROR, "the value of '%s' has to be %s", name, wanted);
}

static int take_prune_number(const char *name, const char *of, sqlite3_value *value, int64_t *number, char **message) {
  if (sqlite3_value_numeric_type(value) != SQLITE_INTEGER || sqlite3_value_int64(value) < 0) {
    return tr_error(message, SQLITE_ERROR, "the value of '%s' has to be a number of %s, 0 or more", name, of);
  }
  *number = sqlite3_value_int64(value);
  return SQLITE_OK;
}

static int take_prune_flag(const char *name, sqlite3_value *value, bool *flag, char **message) {
  return tr_option_is_flag(value, flag) ? SQLITE_OK : value_error(name, "0 or 1", message);
}

static int take_time_option(const char *name, sqlite3_value *value, int64_t *time_us, char **message) {
  int type = sqlite3_value_type(value);
  if (type == SQLITE_INTEGER) {
    *time_us = sqlite3_value_int64(value);
    return SQLITE_OK;
  }
  const char *text = type == SQLITE_TEXT ? (const char *)sqlite3_value_text(value) : NULL;
  TrTimePoint point;
  if (text && tr_time_parse(text, (size_t)sqlite3_value_bytes(value), tr_clock_us(), NULL, &point)) {
    *time_us = point.first_us;
    return SQLITE_OK;
  }
  return value_error(name, "a time: " TR_TIME_FORMS "; or microseconds since 1970, an INTEGER", message);
}

/* The path lives as long as the value. */
static int take_path(const char *name, const char *of, sqlite3_value *value, const char **path, char **message) {
  *path = tr_option_text(value);
  return *path && **path ? SQLITE_OK : value_error(name, of, message);
}

static int take_dir(const char *name, sqlite3_value *value, TrSettings *settings, char **message) {
  const char *path;
  int code = take_path(name, "the path of a directory", value, &path, message);
  if (code != SQLITE_OK) return code;
  sqlite3_free(settings->dir);
  settings->dir = sqlite3_mprintf("%s", path);
  return settings->dir ? SQLITE_OK : SQLITE_NOMEM;
}

typedef enum Option {
  OPTION_KEEP,
  OPTION_SINCE,
  OPTION_KEEP_FAILURES,
  OPTION_MAX_BYTES,
  OPTION_POLICY,
  OPTION_DROP_REJECTS,
  OPTION_COUNT,
  OPTION_DRY_RUN,
  OPTION_OFFLINE,
  OPTION_FORCE,
  OPTION_UNSHIPPED,
  OPTION_RECEIPT,
  OPTION_ARCHIVE,
  OPTION_DIR,
  OPTIONS
} Option;

/* OPTIONS: unknown name. */
static Option option_named(const char *name, size_t length) {
  static const char *const names[OPTIONS] = {"keep",         "since",   "keep_failures", "max_bytes", "policy",
                                             "drop_rejects", "count",   "dry_run",       "offline",   "force",
                                             "unshipped",    "receipt", "archive",       "dir"};
  Option option = 0;
  while (option < OPTIONS && (strlen(names[option]) != length || memcmp(names[option], name, length) != 0)) option++;
  return option;
}

static int take_receipt_option(const char *name, sqlite3_value *value, TrPruneOptions *options, char **message) {
  bool is_left = true;
  int code = take_prune_flag(name, value, &is_left, message);
  options->no_receipt = !is_left;
  return code;
}

static int set_option(PruneCall *call, Option option, const char *name, sqlite3_value *value, char **message) {
  TrPruneOptions *options = &call->options;
  switch (option) {
  case OPTION_KEEP: options->by_count = true; return take_prune_number(name, "records", value, &options->keep, message);
  case OPTION_SINCE: options->by_time = true; return take_time_option(name, value, &options->since_us, message);
  case OPTION_KEEP_FAILURES: return take_prune_number(name, "records", value, &options->keep_failures, message);
  case OPTION_MAX_BYTES:
    options->by_size = true;
    return take_prune_number(name, "bytes", value, &options->max_bytes, message);
  case OPTION_POLICY: return take_path(name, "the path of a file", value, &call->policy_path, message);
  case OPTION_DROP_REJECTS: return take_prune_flag(name, value, &options->drop_rejects, message);
  case OPTION_COUNT: return take_prune_flag(name, value, &options->count, message);
  case OPTION_DRY_RUN: return take_prune_flag(name, value, &options->dry_run, message);
  case OPTION_OFFLINE: return take_prune_flag(name, value, &options->offline, message);
  case OPTION_FORCE: return take_prune_flag(name, value, &options->force, message);
  case OPTION_UNSHIPPED: return take_prune_flag(name, value, &options->unshipped, message);
  case OPTION_ARCHIVE: return take_prune_flag(name, value, &options->archive, message);
  case OPTION_RECEIPT: return take_receipt_option(name, value, options, message);
  case OPTION_DIR: return take_dir(name, value, &call->settings, message);
  default: break;
  }
  return tr_error(
      message, SQLITE_ERROR,
      "unknown option '%s'; the options are keep, since, keep_failures, max_bytes, policy, drop_rejects, count, "
      "dry_run, offline, force, unshipped, receipt, archive and dir",
      name);
}

static int check_rules(const PruneCall *call, char **message) {
  const TrPruneOptions *options = &call->options;
  bool is_by_record = options->by_count || options->by_time;
  if (call->policy_path && (is_by_record || options->by_size || options->archive || options->keep_failures > 0)) {
    return tr_error(message, SQLITE_ERROR, "give 'policy' or the rules themselves, not both");
  }
  if (call->policy_path) return SQLITE_OK;
  if (!is_by_record && !options->by_size) {
    return tr_error(
        message, SQLITE_ERROR,
        "say what to keep: 'keep', NUMBER or 'since', TIME (or both); or 'max_bytes', NUMBER; or 'policy', FILE");
  }
  const char *mistake = tr_rules_contradiction(options);
  return mistake ? tr_error(message, SQLITE_ERROR, "%s", mistake) : SQLITE_OK;
}

/* A function that deletes must not guess: if an option is given twice, either one may be the mistake. */
static int take_options(PruneCall *call, int argc, sqlite3_value **argv, char **message) {
  bool seen[OPTIONS + 1] = {false};
  int code = SQLITE_OK;
  for (int i = 0; i + 1 < argc && code == SQLITE_OK; i += 2) {
    const char *name = (const char *)sqlite3_value_text(argv[i]);
    Option option = name ? option_named(name, (size_t)sqlite3_value_bytes(argv[i])) : OPTIONS;
    if (option < OPTIONS && seen[option])
      return tr_error(message, SQLITE_ERROR, "the option '%s' is given twice", name);
    seen[option] = true;
    code = set_option(call, option, name ? name : "NULL", argv[i + 1], message);
  }
  if (code != SQLITE_OK) return code;
  if (argc % 2) return tr_error(message, SQLITE_ERROR, "options come in pairs: 'name', value");
  return check_rules(call, message);
}

/* With 'unshipped', 1 they need not be understood. */
static int read_marks_of(PruneCall *call, char **message) {
  char *cause = NULL;
  int code = tr_marks_read(&call->marks, &call->dir, &call->poll, &cause);
  if (cause && call->options.unshipped) {
    code = SQLITE_OK;
  } else if (cause) {
    tr_error(message, code, "cannot prune: %s; nothing was changed (" TR_MARKS_REMEDY ")", cause);
  }
  sqlite3_free(cause);
  return code;
}

static int begin_call(PruneCall *call, sqlite3_context *context, int argc, sqlite3_value **argv, char **message) {
  TrConnection *connection = sqlite3_user_data(context);
  *call = (PruneCall){.connection = connection,
                      .settings.store = &tr_results_store,
                      .poll.db = connection->db,
                      .dir.fd = -1,
                      .marks.folder.fd = -1};
  int code = take_options(call, argc, argv, message);
  unsigned threads = 1;
  if (code == SQLITE_OK) code = tr_settings_check_native(&call->settings, "taskresults_prune", message);
  if (code == SQLITE_OK && !tr_can_prune()) {
    code = tr_error(message, SQLITE_ERROR,
                    "refused: this system cannot prune: it has nothing that stops a program which writes without "
                    "locks, so records could get lost; nothing was changed. Linux can");
  }
  if (code == SQLITE_OK) code = tr_settings_max_line(&call->settings, &call->max_line, message);
  if (code == SQLITE_OK) code = tr_settings_threads(&threads, message);
  call->options.one_thread = threads == 1;
  if (code == SQLITE_OK && call->policy_path) {
    code = tr_policy_load(&call->policy, call->policy_path, &call->options, &call->poll, message);
    call->options.policy = &call->policy;
  }
  if (code == SQLITE_OK) code = tr_dir_open(&call->dir, &tr_results_store, tr_settings_dir(&call->settings), message);
  return code == SQLITE_OK ? read_marks_of(call, message) : code;
}

/* `job_id`: NULL is every job. */
static int ask_guard(PruneCall *call, const char *job_id, size_t length, char **message) {
  char name[TR_NAME_SIZE];
  if (job_id) snprintf(name, sizeof name, "%.*s" TR_SUFFIX, (int)length, job_id);
  int code = tr_guard(&call->dir, &call->poll, &call->options, &call->marks, call->max_line, job_id ? name : NULL,
                      &call->refusal, message);
  if (code != SQLITE_OK || call->refusal == NULL || call->options.dry_run) return code;
  return tr_error(message, SQLITE_ERROR, "refused: %s; nothing was changed (if that is meant: 'force', 1, or --force)",
                  call->refusal);
}

static void end_call(PruneCall *call) {
  sqlite3_free(call->refusal);
  tr_policy_free(&call->policy);
  tr_marks_free(&call->marks);
  tr_dir_close(&call->dir);
  tr_poll_close(&call->poll);
  tr_settings_free(&call->settings);
}

/* --- results ------------------------------------------------------------------------------------------------------ */

/* Negative: not known. */
static void append_number(sqlite3_str *out, const char *name, int64_t number) {
  if (number < 0)
    tr_json_append_text(out, name, NULL);
  else
    tr_json_append_integer(out, name, number);
}

static void append_if_any(sqlite3_str *out, const char *name, const char *text) {
  if (text) tr_json_append_text(out, name, text);
}

/* Which rule of the policy the job has. */
static void append_rule(sqlite3_str *out, const PruneCall *call) {
  const TrPolicy *policy = call->options.policy;
  if (policy) append_number(out, "rule", call->rule ? call->rule - policy->rule + 1 : -1);
}

static void append_report(sqlite3_str *out, const char *job_id, size_t length, const TrPruneReport *report,
                          const PruneCall *call) {
  static const char *const word[] = {[TR_PRUNED] = "pruned",
                                     [TR_PRUNE_UNCHANGED] = "unchanged",
                                     [TR_PRUNE_DRY_RUN] = "dry_run",
                                     [TR_REFUSED] = "refused",
                                     [TR_PRUNE_BUSY] = "busy"};
  tr_result_begin(out, (TrBytes){job_id, length}, word[report->result]);
  append_number(out, "kept", report->kept);
  append_number(out, "dropped", report->dropped);
  append_number(out, "bytes_freed", report->bytes_freed);
  append_if_any(out, "archive", report->archive[0] ? report->archive : NULL);
  if (report->unshipped > 0) {
    append_number(out, "unshipped", report->unshipped);
    sqlite3_str_appendall(out, ",\"sink\":");
    tr_json_append_string(out, report->sink, strlen(report->sink) - TR_SUFFIX_LEN);
  }
  if (report->recovered) sqlite3_str_appendall(out, ",\"recovered\":true");
  append_if_any(out, "reason", report->reason);
  append_if_any(out, "refused", report->result == TR_REFUSED ? report->reason : call->refusal);
  append_rule(out, call);
  sqlite3_str_appendchar(out, 1, '}');
}

static void append_json_failure(sqlite3_str *out, const char *job_id, size_t length, const char *reason,
                                const PruneCall *call) {
  tr_result_begin(out, (TrBytes){job_id, length}, "failed");
  sqlite3_str_appendall(out, ",\"kept\":null,\"dropped\":null,\"bytes_freed\":0");
  append_if_any(out, "reason", reason ? reason : "out of memory");
  append_rule(out, call);
  sqlite3_str_appendchar(out, 1, '}');
}

/* --- one job ------------------------------------------------------------------------------------------------------ */

/* Once for each job: a policy may have many rules. */
static void find_rule(PruneCall *call, const char *job_id) {
  if (call->options.policy) call->rule = tr_policy_find(call->options.policy, job_id);
}

/* What a policy says of the job: nothing to drop, if it has no rule for it. */
static const TrPruneOptions *options_for(const PruneCall *call) {
  static const TrPruneOptions left_alone = {.keeps_all = true};
  if (call->options.policy == NULL) return &call->options;
  return call->rule ? &call->rule->options : &left_alone;
}

static int prune_one(PruneCall *call, const char *job_id, size_t length, sqlite3_str *out, char **message) {
  TrPruneReport report;
  const TrPruneOptions *options = options_for(call);
  int code =
      tr_prune_job(&call->dir, &call->poll, options, &call->marks, call->max_line, job_id, length, &report, message);
  if (code == SQLITE_OK) append_report(out, job_id, length, &report, call);
  sqlite3_free(report.reason);
  return code;
}

static int take_job_id(int argc, sqlite3_value **argv, const char **job_id, size_t *length, char **message) {
  *length = 0;
  *job_id = argc > 0 && sqlite3_value_type(argv[0]) == SQLITE_TEXT ? (const char *)sqlite3_value_text(argv[0]) : NULL;
  if (*job_id == NULL) {
    return tr_error(message, SQLITE_ERROR,
                    "taskresults_prune: the first argument is the job_id, a TEXT; then options: 'name', value");
  }
  *length = (size_t)sqlite3_value_bytes(argv[0]);
  if (tr_job_id_is_usable(*job_id, *length)) return SQLITE_OK;
  return tr_error(message, SQLITE_ERROR, "taskresults_prune: '%s' cannot be the name of a job's file", *job_id);
}

/* taskresults_prune(job_id, 'name', value, ...) -> TEXT */
static void prune_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  if (!tr_side_effects_are_allowed(context)) return;
  PruneCall call = {.dir.fd = -1, .marks.folder.fd = -1};
  char *message = NULL;
  const char *job_id;
  size_t length;
  sqlite3_str *out = NULL;
  int code = take_job_id(argc, argv, &job_id, &length, &message);
  if (code == SQLITE_OK) code = begin_call(&call, context, argc - 1, argv + 1, &message);
  if (code == SQLITE_OK) find_rule(&call, job_id);
  if (code == SQLITE_OK) code = ask_guard(&call, job_id, length, &message);
  if (code == SQLITE_OK || code == SQLITE_BUSY) out = sqlite3_str_new(call.connection->db);
  if (code == SQLITE_BUSY) {
    TrPruneReport busy = {.result = TR_PRUNE_BUSY, .kept = -1, .dropped = -1, .reason = message};
    append_report(out, job_id, length, &busy, &call);
    code = SQLITE_OK;
  } else if (code == SQLITE_OK) {
    code = prune_one(&call, job_id, length, out, &message);
  }
  end_call(&call);
  tr_result_finish(context, code, out, message);
}

/* --- every job ---------------------------------------------------------------------------------------------------- */

typedef struct JobList {
  PruneCall *call; /* borrowed */
  TrNameList jobs; /* their ids */
} JobList;

/* A job whose file is gone still counts if an interrupted prune left records of it. */
static int visit_prune_entry(void *context, const char *name) {
  JobList *list = context;
  char job_id[TR_NAME_SIZE];
  size_t length = strlen(name);
  if (tr_name_is_job_file(name, length)) return tr_name_list_add(&list->jobs, name, length - TR_SUFFIX_LEN);
  if (!tr_leftover_is_named(name) || !tr_journal_job(list->call->dir.fd, name, job_id, &length)) return SQLITE_OK;
  return tr_name_list_add(&list->jobs, job_id, length);
}

static int list_jobs(JobList *list, char **message) {
  int code = tr_dir_list(&list->call->dir, &list->call->poll, visit_prune_entry, list, message);
  tr_name_list_sort(&list->jobs);
  return code;
}

/* Errors of one job do not stop the others; only errors that concern the caller do. */
static int prune_listed(PruneCall *call, const char *job_id, sqlite3_str *out, char **message) {
  size_t length = strlen(job_id);
  char *why = NULL;
  if (sqlite3_str_length(out) > 1) sqlite3_str_appendchar(out, 1, ',');
  int code = tr_poll(&call->poll);
  find_rule(call, job_id);
  if (code == SQLITE_OK) code = prune_one(call, job_id, length, out, &why);
  if (code == SQLITE_INTERRUPT || code == SQLITE_NOMEM) {
    sqlite3_free(*message);
    *message = why;
    return code;
  }
  if (code != SQLITE_OK) append_json_failure(out, job_id, length, why, call);
  sqlite3_free(why);
  return SQLITE_OK;
}

/* taskresults_prune_all('name', value, ...) -> TEXT */
static void prune_all_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  if (!tr_side_effects_are_allowed(context)) return;
  PruneCall call;
  JobList list = {.call = &call};
  char *message = NULL;
  sqlite3_str *out = NULL;
  int code = begin_call(&call, context, argc, argv, &message);
  if (code == SQLITE_OK) code = ask_guard(&call, NULL, 0, &message);
  if (code == SQLITE_OK) code = list_jobs(&list, &message);
  if (code == SQLITE_OK) {
    out = sqlite3_str_new(call.connection->db);
    sqlite3_str_appendchar(out, 1, '[');
    for (size_t i = 0; i < list.jobs.count && code == SQLITE_OK; i++) {
      bool is_again = i > 0 && strcmp(list.jobs.name[i], list.jobs.name[i - 1]) == 0; /* a file and its leftover */
      if (!is_again) code = prune_listed(&call, list.jobs.name[i], out, &message);
    }
    sqlite3_str_appendchar(out, 1, ']');
  }
  tr_name_list_free(&list.jobs);
  end_call(&call);
  tr_result_finish(context, code, out, message);
}

int tr_prune_register(TrConnection *connection) {
  int code = tr_side_effects_register(connection, "taskresults_prune", -1, prune_function);
  if (code == SQLITE_OK) code = tr_side_effects_register(connection, "taskresults_prune_all", -1, prune_all_function);
  return code;
}
