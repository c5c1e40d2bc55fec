/*
** functions/seals.c - taskresults_seal() and taskresults_verify(): tamper evidence from SQL.
**
**   SELECT taskresults_seal('my-job');
**   SELECT value->>'$.job_id', value->>'$.head' FROM json_each(taskresults_seal_all());
**   SELECT taskresults_seal_sign('my-job', HEAD, SIGNATURE);
**   SELECT taskresults_verify('my-job', 'heads', 'my-job=HEAD');
**   SELECT value->>'$.job_id' FROM json_each(taskresults_verify_all()) WHERE value->>'$.result' = 'tampered';
**
** After the job id, which is taken literally, come names and values in pairs:
**
**   heads TEXT   only to verify: heads that were kept elsewhere, JOB=HEAD on each line
**   verify 1     only to seal: the whole file is verified first, so that nothing is signed that was changed, and sealed
**                anew; the newest signature has to be of a head that the job has
**   dir PATH     the results directory; without it, the one that task_results reads
**
** taskresults_seal() returns JSON: {"job_id": TEXT, "result": "sealed" | "unchanged" | "tampered" | "busy", "lines",
** "bytes": what is sealed now, "new_lines": of them, "head": TEXT, "signed": is that head signed, "reason": for
** tampered and busy}. seal_all gives an array of these, in which a job that could not be sealed has the result
** "failed". taskresults_seal_sign() keeps a signature of a head with the job's seals, and returns 1; or 0 if the job
** has no such head. taskresults_verify() returns {"job_id", "result": "fine" | "tampered" | "unsealed" | "failed",
** "lines", "bytes", "head": up to where the file is sealed and matches, "unsealed_lines", "unsealed_bytes": what comes
** behind, "seals": their number, "from", "to": bytes of the first sealed stretch that does not match, or null,
** "reasons": an array of texts, "signed_head", "signature": the newest one, or null, "signed_before": the prune that
** makes it prove nothing, as only a receipt explains it, or null}. verify_all is for all jobs that
** have a file, seals, or a head in `heads`.
**
** All are SQLITE_DIRECTONLY. Those that seal change files, and are refused under PRAGMA query_only.
*/
#include "functions.h"

#include <string.h>

typedef struct SealCall {
  TrSettings settings; /* owned */
  size_t max_line;
  TrPoll poll;       /* owned */
  TrDir dir;         /* owned */
  TrKeptHeads heads; /* owned */
  bool verifies;
  bool seals_verified; /* only what has been verified wholly is sealed */
} SealCall;

/* --- options ------------------------------------------------------------------------------------------------------ */

static int take_seal_option(SealCall *call, const char *name, sqlite3_value *value, char **message) {
  const char *text = tr_option_text(value);
  if (name && strcmp(name, "dir") == 0) {
    if (text == NULL || *text == '\0')
      return tr_error(message, SQLITE_ERROR, "the value of 'dir' has to be the path of a directory");
    sqlite3_free(call->settings.dir);
    call->settings.dir = sqlite3_mprintf("%s", text);
    return call->settings.dir ? SQLITE_OK : SQLITE_NOMEM;
  }
  if (!call->verifies && name && strcmp(name, "verify") == 0) {
    return tr_option_is_flag(value, &call->seals_verified)
               ? SQLITE_OK
               : tr_error(message, SQLITE_ERROR, "the value of 'verify' has to be 0 or 1");
  }
  if (!call->verifies || name == NULL || strcmp(name, "heads") != 0) {
    return tr_error(message, SQLITE_ERROR, "unknown option '%s'; the options are %s and dir", name ? name : "NULL",
                    call->verifies ? "heads" : "verify");
  }
  if (text == NULL) return tr_error(message, SQLITE_ERROR, "the value of 'heads' has to be a text");
  return tr_kept_heads_parse(&call->heads, text, &call->poll, message);
}

static int begin_seal_call(SealCall *call, sqlite3_context *context, bool verifies, int argc, sqlite3_value **argv,
                           char **message) {
  TrConnection *connection = sqlite3_user_data(context);
  *call =
      (SealCall){.settings.store = &tr_results_store, .poll.db = connection->db, .dir.fd = -1, .verifies = verifies};
  int code = SQLITE_OK;
  for (int i = 0; i + 1 < argc && code == SQLITE_OK; i += 2) {
    code = take_seal_option(call, (const char *)sqlite3_value_text(argv[i]), argv[i + 1], message);
  }
  if (code == SQLITE_OK && argc % 2) code = tr_error(message, SQLITE_ERROR, "options come in pairs: 'name', value");
  if (code == SQLITE_OK) {
    const char *function = verifies ? "taskresults_verify" : "taskresults_seal";
    code = tr_settings_check_unmapped(&call->settings, function, "are no seals", message);
  }
  if (code == SQLITE_OK) code = tr_settings_max_line(&call->settings, &call->max_line, message);
  return code == SQLITE_OK ? tr_dir_open(&call->dir, &tr_results_store, tr_settings_dir(&call->settings), message)
                           : code;
}

static void end_seal_call(SealCall *call) {
  tr_dir_close(&call->dir);
  tr_poll_close(&call->poll);
  tr_settings_free(&call->settings);
  tr_kept_heads_free(&call->heads);
}

static int take_sealed_job(int argc, sqlite3_value **argv, TrBytes *job, char **message) {
  const char *id =
      argc > 0 && sqlite3_value_type(argv[0]) == SQLITE_TEXT ? (const char *)sqlite3_value_text(argv[0]) : NULL;
  if (id == NULL) return tr_error(message, SQLITE_ERROR, "the first argument is the job_id, a TEXT");
  *job = (TrBytes){id, (size_t)sqlite3_value_bytes(argv[0])};
  if (tr_job_id_is_usable(id, job->length) && tr_utf8_is_valid(id, job->length)) return SQLITE_OK;
  return tr_error(message, SQLITE_ERROR, "'%s' cannot be the name of a job's file", id);
}

/* --- results ------------------------------------------------------------------------------------------------------ */

/* Errors of one job do not stop the others; only errors that concern the caller do. `why` is consumed. */
static int tell_failed(sqlite3_str *out, TrBytes job, int code, char *why, char **message) {
  if (code == SQLITE_INTERRUPT || code == SQLITE_NOMEM) {
    sqlite3_free(*message);
    *message = why;
    return code;
  }
  tr_result_begin(out, job, code == SQLITE_BUSY ? "busy" : "failed");
  tr_json_append_text(out, "reason", why ? why : "out of memory");
  sqlite3_str_appendchar(out, 1, '}');
  sqlite3_free(why);
  return SQLITE_OK;
}

/* --- a verification ----------------------------------------------------------------------------------------------- */

#define MOST_VERIFICATIONS 100

/* The journal is read behind the opening of the job's file, and before the receipts. */
static int check_behind_journal(SealCall *call, TrVerification *v, bool *again, char **message) {
  TrJournalState journal;
  bool is_unfinished;
  int reason = tr_journal_receipt(call->dir.fd, v->job_id, v->length, &journal, &is_unfinished);
  if (reason) {
    return tr_error(message, tr_error_code(reason),
                    "job '%.*s': %s: the journal of an interrupted prune cannot be read: %s", (int)v->length, v->job_id,
                    call->dir.path, strerror(reason));
  }
  TrUnfinishedPrune unfinished = {0};
  if (is_unfinished && !journal.is_replaced) {
    unfinished = (TrUnfinishedPrune){.receipt = journal.receipt_id, .new_inode = journal.live_ino};
  }
  int code = tr_verification_check(v, &unfinished, again, message);
  return code == SQLITE_OK && !*again ? tr_verification_check_archive(v, call->max_line, again, message) : code;
}

/* --- to seal ------------------------------------------------------------------------------------------------------ */

typedef struct SealOne {
  SealCall *call; /* borrowed, and all that follows but the report */
  TrBytes job;
  TrSealReport report;
  TrSeal verified;           /* up to where the file matches */
  const unsigned char *head; /* to sign */
  const char *signature;
  bool is_known;
} SealOne;

static int changed_error(const SealOne *one, char **message) {
  return tr_error(message, SQLITE_ABORT, "job '%.*s': its file or its seals were replaced while they were verified",
                  (int)one->job.length, one->job.text);
}

static char *first_reason(const TrVerification *v) {
  if (v->seals.faults.count) return sqlite3_mprintf("%s", v->seals.faults.name[0]);
  return v->stretch.from >= 0 ? tr_verification_mismatch(v) : sqlite3_mprintf("%s", TR_FOREIGN_SIGNATURE);
}

static int judge_before_sealing(SealOne *one, const TrVerification *v) {
  bool is_tampered = v->seals.faults.count || v->stretch.from >= 0 || tr_verification_has_foreign_signature(v);
  one->report.seal = one->verified = v->sealed;
  if (!is_tampered || v->is_gone) return SQLITE_OK; /* that it is gone, the sealing says */
  one->report.result = TR_SEAL_TAMPERED;
  one->report.reason = first_reason(v);
  return one->report.reason ? SQLITE_OK : SQLITE_NOMEM;
}

/* Under the lock, only a rotation can make it begin again. */
static int verify_before_sealing(SealOne *one, char **message) {
  SealCall *call = one->call;
  bool again = true;
  int code = SQLITE_OK;
  for (int i = 0; i < MOST_VERIFICATIONS && again && code == SQLITE_OK; i++) {
    TrVerification v;
    again = false;
    code = tr_verification_begin(&v, &call->dir, &call->poll, one->job.text, one->job.length, message);
    if (code == SQLITE_OK) code = check_behind_journal(call, &v, &again, message);
    if (code == SQLITE_OK && !again) code = judge_before_sealing(one, &v);
    tr_verification_end(&v);
    if (code == SQLITE_OK) code = tr_poll(&call->poll);
  }
  return code == SQLITE_OK && again ? changed_error(one, message) : code;
}

static int seal_locked(void *context, char **message) {
  SealOne *one = context;
  SealCall *call = one->call;
  int code = SQLITE_OK;
  if (call->seals_verified) code = verify_before_sealing(one, message);
  if (code != SQLITE_OK || one->report.result == TR_SEAL_TAMPERED) return code;
  code = tr_seal_job(&call->dir, &call->poll, one->job.text, one->job.length, &one->report, message);
  if (code != SQLITE_OK || !call->seals_verified || one->report.result == TR_SEAL_TAMPERED) return code;
  bool is_same = memcmp(one->report.last.head, one->verified.head, TR_DIGEST_BYTES) == 0;
  return is_same ? SQLITE_OK : changed_error(one, message);
}

static int sign_locked(void *context, char **message) {
  SealOne *one = context;
  return tr_seal_sign(&one->call->dir, &one->call->poll, one->job.text, one->job.length, one->head, one->signature,
                      &one->is_known, message);
}

static void append_seal_report(sqlite3_str *out, TrBytes job, const TrSealReport *report) {
  static const char *const word[] = {
      [TR_SEAL_MADE] = "sealed", [TR_SEAL_UNCHANGED] = "unchanged", [TR_SEAL_TAMPERED] = "tampered"};
  tr_result_begin(out, job, word[report->result]);
  tr_json_append_integer(out, "lines", report->seal.lines);
  tr_json_append_integer(out, "bytes", report->seal.bytes);
  tr_json_append_integer(out, "new_lines", report->new_lines);
  tr_digest_append(out, "head", report->seal.head);
  sqlite3_str_appendf(out, ",\"signed\":%s", report->is_signed ? "true" : "false");
  tr_json_append_text(out, "reason", report->reason);
  sqlite3_str_appendchar(out, 1, '}');
}

static int seal_one(SealCall *call, TrBytes job, sqlite3_str *out, char **message) {
  SealOne one = {.call = call, .job = job, .report.result = TR_SEAL_UNCHANGED};
  int code = tr_prune_locked(&call->dir, &call->poll, call->max_line, job.text, job.length, seal_locked, &one, message);
  if (code == SQLITE_OK) append_seal_report(out, job, &one.report);
  sqlite3_free(one.report.reason);
  return code;
}

/* taskresults_seal(job_id, 'name', value, ...) -> TEXT */
static void seal_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  if (!tr_side_effects_are_allowed(context)) return;
  SealCall call = {.dir.fd = -1};
  char *message = NULL;
  TrBytes job;
  sqlite3_str *out = sqlite3_str_new(sqlite3_context_db_handle(context));
  int code = take_sealed_job(argc, argv, &job, &message);
  if (code == SQLITE_OK) code = begin_seal_call(&call, context, false, argc - 1, argv + 1, &message);
  if (code == SQLITE_OK) code = seal_one(&call, job, out, &message);
  if (code == SQLITE_BUSY) {
    char *why = message;
    message = NULL;
    code = tell_failed(out, job, code, why, &message);
  }
  end_seal_call(&call);
  tr_result_finish(context, code, out, message);
}

/* taskresults_seal_sign(job_id, head, signature, 'name', value, ...) -> INTEGER */
static void seal_sign_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  if (!tr_side_effects_are_allowed(context)) return;
  SealCall call = {.dir.fd = -1};
  SealOne one = {.call = &call};
  unsigned char head[TR_DIGEST_BYTES];
  char *message = NULL;
  int code = take_sealed_job(argc, argv, &one.job, &message);
  const char *digits = argc > 1 ? tr_option_text(argv[1]) : NULL;
  one.signature = argc > 2 ? tr_option_text(argv[2]) : NULL;
  one.head = head;
  if (code == SQLITE_OK && (!digits || !tr_digest_parse(digits, head) || !one.signature)) {
    code = tr_error(&message, SQLITE_ERROR,
                    "taskresults_seal_sign: after the job_id come a head, of 64 digits, and the text of its signature");
  }
  if (code == SQLITE_OK && strlen(one.signature) > TR_SEAL_LINE_BYTES / 4) {
    code = tr_error(&message, SQLITE_TOOBIG, "taskresults_seal_sign: the signature is too long");
  }
  if (code == SQLITE_OK) code = begin_seal_call(&call, context, false, argc - 3, argv + 3, &message);
  if (code == SQLITE_OK) {
    code = tr_prune_locked(&call.dir, &call.poll, call.max_line, one.job.text, one.job.length, sign_locked, &one,
                           &message);
  }
  end_seal_call(&call);
  sqlite3_str *out = sqlite3_str_new(sqlite3_context_db_handle(context));
  tr_result_finish(context, code, out, message);
  if (code == SQLITE_OK) sqlite3_result_int(context, one.is_known);
}

/* --- to verify ---------------------------------------------------------------------------------------------------- */

static int verify_once(SealCall *call, TrBytes job, sqlite3_str *out, bool *again, char **message) {
  TrVerification verification;
  int code = tr_verification_begin(&verification, &call->dir, &call->poll, job.text, job.length, message);
  if (code == SQLITE_OK) code = check_behind_journal(call, &verification, again, message);
  bool is_there =
      code == SQLITE_OK && (!verification.is_gone || tr_seals_are_any(&verification.seals) || call->heads.is_given);
  if (code == SQLITE_OK && !*again && is_there)
    code = tr_verification_append(out, &verification, &call->heads, &call->poll);
  if (code == SQLITE_OK && !*again && !is_there) {
    code = tr_error(message, SQLITE_NOTFOUND, "job '%.*s': %s/%s does not exist: there is no such job", (int)job.length,
                    job.text, call->dir.path, verification.name);
  }
  tr_verification_end(&verification);
  return code;
}

static int verify_one(SealCall *call, TrBytes job, sqlite3_str *out, char **message) {
  bool again = true;
  int code = SQLITE_OK;
  for (int i = 0; i < MOST_VERIFICATIONS && again && code == SQLITE_OK; i++) {
    code = verify_once(call, job, out, &again, message);
    if (code == SQLITE_OK) code = tr_poll(&call->poll);
  }
  if (code != SQLITE_OK || !again) return code;
  return tr_error(message, SQLITE_BUSY, "job '%.*s': its file is replaced again and again", (int)job.length, job.text);
}

/* taskresults_verify(job_id, 'name', value, ...) -> TEXT */
static void verify_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  if (!tr_side_effects_is_run(context)) return;
  SealCall call = {.dir.fd = -1};
  char *message = NULL;
  TrBytes job;
  sqlite3_str *out = sqlite3_str_new(sqlite3_context_db_handle(context));
  int code = take_sealed_job(argc, argv, &job, &message);
  if (code == SQLITE_OK) code = begin_seal_call(&call, context, true, argc - 1, argv + 1, &message);
  if (code == SQLITE_OK) code = verify_one(&call, job, out, &message);
  end_seal_call(&call);
  tr_result_finish(context, code, out, message);
}

/* --- every job ---------------------------------------------------------------------------------------------------- */

static int visit_sealed_entry(void *context, const char *name) {
  size_t length = strlen(name);
  if (!tr_name_is_job_file(name, length) || !tr_utf8_is_valid(name, length)) return SQLITE_OK;
  return tr_name_list_add(context, name, length - TR_SUFFIX_LEN);
}

/* Jobs whose file is gone have seals, or a head that somebody has kept. */
static int list_verified_jobs(SealCall *call, TrNameList *jobs, char **message) {
  TrOwnFolder folder;
  int code = tr_own_folder_open(&folder, call->dir.fd, call->dir.path, TR_SEALS_FOLDER, false, TR_SEALS_WHAT, message);
  if (code == SQLITE_OK && folder.fd >= 0) {
    char *path = tr_seals_path(call->dir.path);
    TrDir seals = {.fd = folder.fd, .store = call->dir.store, .path = path};
    code = path ? tr_dir_list(&seals, &call->poll, visit_sealed_entry, jobs, message) : SQLITE_NOMEM;
    sqlite3_free(path);
    tr_own_folder_close(&folder);
  }
  for (size_t i = 0, end; i < call->heads.count && code == SQLITE_OK; i = end) {
    TrBytes job = call->heads.head[i].job;
    i = tr_kept_heads_find(&call->heads, job, &end);
    bool is_usable = tr_job_id_is_usable(job.text, job.length) && tr_utf8_is_valid(job.text, job.length);
    if (is_usable) code = tr_name_list_add(jobs, job.text, job.length);
    if (code == SQLITE_OK) code = tr_poll(&call->poll);
  }
  return code;
}

static int act_on_listed(SealCall *call, const TrNameList *jobs, sqlite3_str *out, char **message) {
  int code = SQLITE_OK;
  for (size_t i = 0; i < jobs->count && code == SQLITE_OK; i++) {
    const char *id = jobs->name[i];
    TrBytes job = {id, strlen(id)};
    char *why = NULL;
    if (i > 0 && strcmp(id, jobs->name[i - 1]) == 0) continue;
    if (sqlite3_str_length(out) > 1) sqlite3_str_appendchar(out, 1, ',');
    code = tr_poll(&call->poll);
    if (code == SQLITE_OK) code = call->verifies ? verify_one(call, job, out, &why) : seal_one(call, job, out, &why);
    if (code != SQLITE_OK) code = tell_failed(out, job, code, why, message);
  }
  return code;
}

static void act_on_all(sqlite3_context *context, bool verifies, int argc, sqlite3_value **argv) {
  SealCall call;
  TrNameList jobs = {0};
  char *message = NULL;
  sqlite3_str *out = sqlite3_str_new(sqlite3_context_db_handle(context));
  int code = begin_seal_call(&call, context, verifies, argc, argv, &message);
  if (code == SQLITE_OK) code = tr_dir_list(&call.dir, &call.poll, visit_sealed_entry, &jobs, &message);
  if (code == SQLITE_OK && verifies) code = list_verified_jobs(&call, &jobs, &message);
  tr_name_list_sort(&jobs);
  sqlite3_str_appendchar(out, 1, '[');
  if (code == SQLITE_OK) code = act_on_listed(&call, &jobs, out, &message);
  sqlite3_str_appendchar(out, 1, ']');
  tr_name_list_free(&jobs);
  end_seal_call(&call);
  tr_result_finish(context, code, out, message);
}

/* taskresults_seal_all('name', value, ...) -> TEXT */
static void seal_all_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  if (tr_side_effects_are_allowed(context)) act_on_all(context, false, argc, argv);
}

/* taskresults_verify_all('name', value, ...) -> TEXT */
static void verify_all_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  if (tr_side_effects_is_run(context)) act_on_all(context, true, argc, argv);
}

int tr_seals_register(TrConnection *connection) {
  int code = tr_side_effects_register(connection, "taskresults_seal", -1, seal_function);
  if (code == SQLITE_OK) code = tr_side_effects_register(connection, "taskresults_seal_all", -1, seal_all_function);
  if (code == SQLITE_OK) code = tr_side_effects_register(connection, "taskresults_seal_sign", -1, seal_sign_function);
  if (code == SQLITE_OK) code = tr_side_effects_register(connection, "taskresults_verify", -1, verify_function);
  if (code == SQLITE_OK) code = tr_side_effects_register(connection, "taskresults_verify_all", -1, verify_all_function);
  return code;
}
