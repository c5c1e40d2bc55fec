/*
** insert.c - INSERT INTO task_results: SQL values -> row.
**
**   INSERT INTO task_results(job_id, job_name, success, output, error, timestamp) VALUES (...);
**
** SQLite hands over the values as they were given, without the columns' affinities, and a column that was left out as
** NULL. So NULL is the default: the time now, the job's id as its name, no output, no error. Numbers become text in
** text columns, as in an ordinary table; a BLOB is refused, because its encoding is unknown. Everything that can be
** wrong with a row is reported here, by its INSERT; at the commit, only the disk can fail.
**
** Written records are never changed: UPDATE and DELETE are refused.
*/
#include "tables.h"

#include <string.h>

/* argv of xUpdate: the old rowid, the new one, the columns. */
#define FIRST_COLUMN 2

static int bad_value(char **message, const char *column, const char *words) {
  return tr_error(message, SQLITE_CONSTRAINT, "task_results: %s %s", column, words);
}

static int append_only(char **message, const char *statement) {
  return tr_error(message, SQLITE_READONLY,
                  "task_results: history is append-only, so there is no %s; taskresults_prune() drops old records",
                  statement);
}

/* --- values ------------------------------------------------------------------------------------------------------ */

/* NULL leaves *out unchanged. *out borrows from the value. */
static int read_text(sqlite3_value *value, const char *column, TrBytes *out, char **message) {
  int type = sqlite3_value_type(value);
  if (type == SQLITE_NULL) return SQLITE_OK;
  if (type == SQLITE_BLOB) return bad_value(message, column, "must be text, not a BLOB");
  const char *text = (const char *)sqlite3_value_text(value);
  if (text == NULL) return SQLITE_NOMEM;
  *out = (TrBytes){text, (size_t)sqlite3_value_bytes(value)};
  return tr_utf8_is_valid(out->text, out->length) ? SQLITE_OK : bad_value(message, column, "is not valid UTF-8");
}

static int read_success(sqlite3_value *value, bool *success, char **message) {
  int type = sqlite3_value_numeric_type(value);
  double number = type == SQLITE_INTEGER || type == SQLITE_FLOAT ? sqlite3_value_double(value) : -1;
  *success = number > 0;
  return number == 0 || number == 1 ? SQLITE_OK : bad_value(message, "success", "must be 0 or 1");
}

/* A number is refused as a job id: several texts stand for it ('007', '7', '7.0'). */
static int read_job_text(sqlite3_value *value, const char *column, TrBytes *job_id, char **message) {
  int type = sqlite3_value_type(value);
  if (type != SQLITE_NULL && type != SQLITE_TEXT) return bad_value(message, column, "must be text");
  return read_text(value, column, job_id, message);
}

/* The hidden column `job` (of task_results('my-job')) can be given in place of job_id. */
static int read_job_id(sqlite3_value **column, TrBytes *job_id, char **message) {
  TrBytes job = {NULL, 0};
  int code = read_job_text(column[TR_RESULTS_JOB_ID], "job_id", job_id, message);
  if (code == SQLITE_OK) code = read_job_text(column[TR_RESULTS_JOB], "job", &job, message);
  if (code != SQLITE_OK) return code;
  if (job_id->text == NULL) *job_id = job;
  if (job_id->text == NULL || job_id->length == 0) return bad_value(message, "job_id", "is missing");
  if (job.text && (job.length != job_id->length || memcmp(job.text, job_id->text, job.length) != 0)) {
    return bad_value(message, "job", "is another name for job_id, and differs from it");
  }
  if (!tr_job_id_is_usable(job_id->text, job_id->length)) {
    return bad_value(message, "job_id", "cannot be a file's name: it holds '/' or NUL, or is longer than 249 bytes");
  }
  return SQLITE_OK;
}

static int read_timestamp(sqlite3_value *value, char now[TR_TIMESTAMP_SIZE], TrBytes *timestamp, char **message) {
  int64_t time_us;
  int code = read_text(value, "timestamp", timestamp, message);
  if (code != SQLITE_OK) return code;
  if (timestamp->text == NULL) {
    tr_timestamp_format(tr_clock_us(), now);
    *timestamp = (TrBytes){now, strlen(now)};
  } else if (!tr_timestamp_parse(timestamp->text, timestamp->length, &time_us)) {
    return bad_value(message, "timestamp", "must be like 2026-02-15T01:44:15.821425Z, or NULL for now");
  }
  return SQLITE_OK;
}

static int refuse_computed(sqlite3_value *rowid, sqlite3_value **column, char **message) {
  if (sqlite3_value_type(rowid) != SQLITE_NULL) return bad_value(message, "rowid", "cannot be chosen");
  if (sqlite3_value_type(column[TR_RESULTS_TIME_US]) != SQLITE_NULL) {
    return bad_value(message, "time_us", "is computed; give timestamp");
  }
  if (sqlite3_value_type(column[TR_RESULTS_OFFSET]) != SQLITE_NULL) {
    return bad_value(message, "offset", "cannot be chosen");
  }
  if (sqlite3_value_type(column[TR_RESULTS_RECORD]) != SQLITE_NULL) {
    return bad_value(message, "record", "is computed; give the columns");
  }
  if (sqlite3_value_type(column[TR_RESULTS_OK]) != SQLITE_NULL) {
    return bad_value(message, "ok", "is computed; give success");
  }
  if (sqlite3_value_type(column[TR_RESULTS_HOST]) != SQLITE_NULL) {
    return bad_value(message, "host", "cannot be chosen");
  }
  return SQLITE_OK;
}

/* The row borrows from the values and from `now`. */
static int read_row(sqlite3_value **column, char now[TR_TIMESTAMP_SIZE], TrRow *row, char **message) {
  *row = (TrRow){.output = {"", 0}, .error = {"", 0}};
  int code = read_job_id(column, &row->job_id, message);
  row->job_name = row->job_id;
  if (code == SQLITE_OK) code = read_text(column[TR_RESULTS_JOB_NAME], "job_name", &row->job_name, message);
  if (code == SQLITE_OK) code = read_success(column[TR_RESULTS_SUCCESS], &row->success, message);
  if (code == SQLITE_OK) code = read_text(column[TR_RESULTS_OUTPUT], "output", &row->output, message);
  if (code == SQLITE_OK) code = read_text(column[TR_RESULTS_ERROR], "error", &row->error, message);
  if (code == SQLITE_OK) code = read_timestamp(column[TR_RESULTS_TIMESTAMP], now, &row->timestamp, message);
  row->output = tr_cut_text(row->output);
  row->error = tr_cut_text(row->error);
  return code;
}

/* --- xUpdate ----------------------------------------------------------------------------------------------------- */

/* A trigger of a hostile database reaches every table that is not DIRECTONLY. And SQLite does not tell a table that was
** made in this transaction of older savepoints, so it could not roll back to them. */
static int may_insert(const TrTable *table, char **message) {
  if (!table->direct_only && !table->connection->writable) {
    return tr_error(message, SQLITE_AUTH,
                    "task_results: to INSERT, first allow it on this connection: SELECT taskresults_writable(1)");
  }
  if (!table->pending.open) {
    return tr_error(message, SQLITE_ERROR,
                    "task_results: this table was made in the same transaction; COMMIT before the first INSERT");
  }
  return SQLITE_OK;
}

/* The first row fixes what holds for the whole transaction. */
static int begin_rows(TrTable *table, char **message) {
  TrPending *pending = &table->pending;
  if (pending->path) return SQLITE_OK;
  int code = tr_settings_check_native(&table->settings, "task_results", message);
  if (code == SQLITE_OK) code = tr_settings_max_line(&table->settings, &pending->max_line, message);
  if (code == SQLITE_OK) code = tr_settings_sync(&table->settings, &pending->sync, message);
  return code == SQLITE_OK ? tr_pending_open_dir(pending, tr_settings_dir(&table->settings), message) : code;
}

static int insert_row(TrTable *table, sqlite3_value **argv, char **message) {
  TrRow row;
  char now[TR_TIMESTAMP_SIZE], name[TR_NAME_SIZE];
  int code = may_insert(table, message);
  if (code == SQLITE_OK) code = refuse_computed(argv[1], argv + FIRST_COLUMN, message);
  if (code == SQLITE_OK) code = read_row(argv + FIRST_COLUMN, now, &row, message);
  if (code == SQLITE_OK) code = begin_rows(table, message);
  if (code != SQLITE_OK) return code;
  memcpy(name, row.job_id.text, row.job_id.length);
  memcpy(name + row.job_id.length, TR_SUFFIX, TR_SUFFIX_LEN + 1);
  return tr_pending_add(&table->pending, name, &row, message);
}

int tr_insert_update(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
  TrTable *table = (TrTable *)vtab;
  char **message = &vtab->zErrMsg;
  if (argc == 1) return append_only(message, "DELETE");
  if (sqlite3_value_type(argv[0]) != SQLITE_NULL) return append_only(message, "UPDATE");
  *rowid = -1; /* for last_insert_rowid(): the line has no offset yet, and no line has the rowid -1 */
  return insert_row(table, argv, message);
}
