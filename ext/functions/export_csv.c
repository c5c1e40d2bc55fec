/*
** export_csv.c - taskresults_export_csv(path, select, option, value, ...): the rows of any one SELECT -> a CSV file.
**
**   SELECT taskresults_export_csv('/tmp/failures.csv', 'SELECT * FROM task_results WHERE ok = 0');
**   SELECT taskresults_export_csv('/dev/stdout', 'SELECT a, b FROM t', 'header', 0, 'guard', 1);
**
** Returns the number of rows, an INTEGER. Options, each 'name', value:
**   header 0          no line with the columns' names
**   guard 1           a ' before texts that a spreadsheet would read as a formula, see formula.c (this changes data)
**   delimiter TEXT    one character between cells, instead of the comma: a tab, ; | or other punctuation
**   bom 1             the file begins with the bytes EF BB BF, by which some programs (Excel) know UTF-8
**   newline 'lf'      lines end in LF; without it in CR LF, as RFC 4180 wants it
**   max_chars N       cells are cut to N characters ...
**   cut NAME          ... in the column of that name only; may be given again for another
**   sync 0            do not wait until the disk has the file
**
** csv.c follows RFC 4180; output.c makes the file appear complete or not at all.
**
** The statement must be one SELECT (or WITH ... SELECT, or VALUES). We check its first word before SQLite sees it,
** because some statements act already when they are prepared (PRAGMA), and some count as read-only although they change
** something (BEGIN, ATTACH). Its errors are passed on unchanged. Functions in it may do only what they do when the user
** calls them directly: the rules for views and triggers hold inside it.
**
** The function is DIRECTONLY: nothing in the schema of a hostile database can write files. It cannot be used inside its
** own SELECT, because nesting could exhaust the stack.
*/
#include "functions.h"

#include <string.h>

#define MOST_CUTS 64

typedef struct ExportCall {
  TrConnection *connection;  /* borrowed */
  const char *path, *select; /* borrowed from the arguments, like cut_name[] */
  TrCsv csv;
  bool header, bom, lf, sync;
  int64_t max_chars; /* -1: not cut */
  int cut_count;
  const char *cut_name[MOST_CUTS];
  sqlite3_stmt *statement; /* owned */
  int column_count;
  int64_t *column_chars; /* owned: for each column, to how many characters it is cut; -1: not */
  TrPoll poll;           /* owned */
  TrOutput output;       /* owned */
} ExportCall;

/* --- arguments --------------------------------------------------------------------------------------------------- */

static int take_export_flag(const char *name, sqlite3_value *value, bool *flag, char **message) {
  if (tr_option_is_flag(value, flag)) return SQLITE_OK;
  return tr_error(message, SQLITE_ERROR, "taskresults_export_csv: the value of '%s' has to be 0 or 1", name);
}

static int take_delimiter(ExportCall *call, sqlite3_value *value, char **message) {
  const char *text = tr_option_text(value);
  if (text && tr_csv_delimiter(&call->csv, text)) return SQLITE_OK;
  return tr_error(
      message, SQLITE_ERROR,
      "taskresults_export_csv: the value of 'delimiter' has to be one character: a tab, or ASCII punctuation "
      "other than \" ' + - and .");
}

static int take_newline(ExportCall *call, sqlite3_value *value, char **message) {
  const char *text = tr_option_text(value);
  call->lf = text && strcmp(text, "lf") == 0;
  if (call->lf || (text && strcmp(text, "crlf") == 0)) return SQLITE_OK;
  return tr_error(message, SQLITE_ERROR, "taskresults_export_csv: the value of 'newline' has to be 'crlf' or 'lf'");
}

static int take_max_chars(ExportCall *call, sqlite3_value *value, char **message) {
  call->max_chars = sqlite3_value_int64(value);
  if (sqlite3_value_numeric_type(value) == SQLITE_INTEGER && call->max_chars >= 0) return SQLITE_OK;
  return tr_error(message, SQLITE_ERROR, "taskresults_export_csv: the value of 'max_chars' has to be 0 or more");
}

static int take_cut(ExportCall *call, sqlite3_value *value, char **message) {
  const char *name = tr_option_text(value);
  if (name && call->cut_count < MOST_CUTS) {
    call->cut_name[call->cut_count++] = name;
    return SQLITE_OK;
  }
  return tr_error(message, SQLITE_ERROR,
                  "taskresults_export_csv: the value of 'cut' has to be a column's name; %d at most", MOST_CUTS);
}

static int take_option(ExportCall *call, const char *name, sqlite3_value *value, char **message) {
  if (strcmp(name, "header") == 0) return take_export_flag(name, value, &call->header, message);
  if (strcmp(name, "guard") == 0) return take_export_flag(name, value, &call->csv.guard, message);
  if (strcmp(name, "bom") == 0) return take_export_flag(name, value, &call->bom, message);
  if (strcmp(name, "delimiter") == 0) return take_delimiter(call, value, message);
  if (strcmp(name, "sync") == 0) return take_export_flag(name, value, &call->sync, message);
  if (strcmp(name, "newline") == 0) return take_newline(call, value, message);
  if (strcmp(name, "max_chars") == 0) return take_max_chars(call, value, message);
  if (strcmp(name, "cut") == 0) return take_cut(call, value, message);
  return tr_error(
      message, SQLITE_ERROR,
      "taskresults_export_csv: unknown option '%s'; the options are header, guard, delimiter, bom, newline, "
      "max_chars, cut and sync",
      name);
}

static int take_arguments(ExportCall *call, int argc, sqlite3_value **argv, char **message) {
  call->path = argc > 0 ? tr_option_text(argv[0]) : NULL;
  call->select = argc > 1 ? tr_option_text(argv[1]) : NULL;
  if (call->path == NULL || *call->path == '\0' || call->select == NULL) {
    return tr_error(message, SQLITE_ERROR,
                    "taskresults_export_csv: the arguments are a file's path and a SELECT, both TEXT without NUL; then "
                    "options: 'name', value");
  }
  if (argc % 2) return tr_error(message, SQLITE_ERROR, "taskresults_export_csv: options come in pairs: 'name', value");
  int code = SQLITE_OK;
  for (int i = 2; i < argc && code == SQLITE_OK; i += 2) {
    const char *name = tr_option_text(argv[i]);
    code = take_option(call, name ? name : "NULL", argv[i + 1], message);
  }
  if (code == SQLITE_OK && call->cut_count && call->max_chars < 0) {
    code = tr_error(message, SQLITE_ERROR, "taskresults_export_csv: 'cut' goes with 'max_chars'");
  }
  return code;
}

/* --- one SELECT, and no more ------------------------------------------------------------------------------------- */

/* What follows white space, comments and semicolons. */
static const char *skip_empty(const char *sql) {
  for (;;) {
    sql += strspn(sql, " \t\n\f\r;");
    if (sql[0] == '-' && sql[1] == '-') {
      sql += strcspn(sql, "\n");
    } else if (sql[0] == '/' && sql[1] == '*') {
      const char *end = strstr(sql + 2, "*/");
      sql = end ? end + 2 : sql + strlen(sql);
    } else {
      return sql;
    }
  }
}

static bool begins_with_word(const char *sql, const char *word) {
  size_t length = strlen(word);
  unsigned char next = sqlite3_strnicmp(sql, word, (int)length) == 0 ? (unsigned char)sql[length] : '_';
  return next < 0x80 && next != '_' && next != '$' && !(next >= '0' && next <= '9') &&
         !((next | 0x20) >= 'a' && (next | 0x20) <= 'z');
}

static int no_select(char **message) {
  return tr_error(message, SQLITE_ERROR, "taskresults_export_csv: the statement has to be one SELECT");
}

static int prepare(ExportCall *call, char **message) {
  sqlite3 *db = call->connection->db;
  const char *sql = skip_empty(call->select), *tail = NULL;
  if (!begins_with_word(sql, "SELECT") && !begins_with_word(sql, "WITH") && !begins_with_word(sql, "VALUES")) {
    return no_select(message);
  }
  int code = sqlite3_prepare_v2(db, sql, -1, &call->statement, &tail);
  if (code != SQLITE_OK) return tr_error(message, code, "%s", sqlite3_errmsg(db));
  if (!sqlite3_stmt_readonly(call->statement) || sqlite3_column_count(call->statement) == 0) {
    return no_select(message); /* WITH ... DELETE */
  }
  if (*skip_empty(tail)) {
    return tr_error(message, SQLITE_ERROR, "taskresults_export_csv: there is more text after the SELECT");
  }
  if (sqlite3_bind_parameter_count(call->statement) > 0) {
    return tr_error(message, SQLITE_ERROR,
                    "taskresults_export_csv: the SELECT has parameters, which nothing could bind");
  }
  return SQLITE_OK;
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

/* A column to cut that does not exist is an error: otherwise a typing mistake would export uncut data. */
static int find_cuts(ExportCall *call, char **message) {
  size_t size = (size_t)call->column_count * sizeof *call->column_chars;
  call->column_chars = sqlite3_malloc64(size);
  if (call->column_chars == NULL) return SQLITE_NOMEM;
  for (int i = 0; i < call->column_count; i++) call->column_chars[i] = call->cut_count ? -1 : call->max_chars;
  for (int k = 0; k < call->cut_count; k++) {
    bool found = false;
    for (int i = 0; i < call->column_count; i++) {
      const char *name = sqlite3_column_name(call->statement, i);
      if (name == NULL) return SQLITE_NOMEM;
      if (strcmp(name, call->cut_name[k]) != 0) continue;
      call->column_chars[i] = call->max_chars;
      found = true;
    }
    if (!found) {
      return tr_error(message, SQLITE_ERROR, "taskresults_export_csv: the SELECT has no column '%s' to cut",
                      call->cut_name[k]);
    }
  }
  return SQLITE_OK;
}

static void end_line(ExportCall *call) {
  if (!call->lf) tr_output_byte(&call->output, '\r');
  tr_output_byte(&call->output, '\n');
}

static int write_header(ExportCall *call) {
  for (int i = 0; i < call->column_count; i++) {
    const char *name = sqlite3_column_name(call->statement, i);
    if (name == NULL) return SQLITE_NOMEM;
    if (i > 0) tr_output_byte(&call->output, call->csv.delimiters[0]);
    tr_csv_text(&call->output, &call->csv, name);
  }
  end_line(call);
  return call->output.code;
}

/* With sqlite3_column_value(), reading type, text and length of a value takes no lock each. Its values are
** "unprotected", unsafe with several threads; but here we are inside a step of the same connection, which holds the
** lock. */
static int write_row(ExportCall *call) {
  TrOutput *output = &call->output;
  for (int i = 0; i < call->column_count; i++) {
    if (i > 0) tr_output_byte(output, call->csv.delimiters[0]);
    tr_csv_value(output, &call->csv, sqlite3_column_value(call->statement, i), call->column_chars[i]);
  }
  end_line(call);
  return output->code;
}

/* Columns are counted after the first step, which may prepare the statement again if the schema changed. */
static int write_rows(ExportCall *call, int64_t *rows, char **message) {
  int step = sqlite3_step(call->statement);
  call->column_count = sqlite3_column_count(call->statement);
  int code = step == SQLITE_ROW || step == SQLITE_DONE ? find_cuts(call, message) : SQLITE_OK;
  if (code == SQLITE_OK && call->bom) tr_output_append(&call->output, "\xEF\xBB\xBF", 3);
  if (code == SQLITE_OK && call->header) code = write_header(call);
  while (code == SQLITE_OK && step == SQLITE_ROW) {
    code = write_row(call);
    ++*rows;
    if (code == SQLITE_OK) step = sqlite3_step(call->statement);
  }
  if (code != SQLITE_OK || step == SQLITE_DONE) return code;
  return tr_error(message, step, "%s", sqlite3_errmsg(call->connection->db));
}

/* --- the function ------------------------------------------------------------------------------------------------ */

static int run_export(ExportCall *call, int argc, sqlite3_value **argv, int64_t *rows, char **message) {
  unsigned threads = 1;
  int code = take_arguments(call, argc, argv, message);
  if (code == SQLITE_OK) code = tr_settings_threads(&threads, message);
  if (code == SQLITE_OK) code = prepare(call, message);
  if (code == SQLITE_OK)
    code = tr_output_open(&call->output, call->path, call->sync, threads == 1, &call->poll, message);
  if (code == SQLITE_OK) code = write_rows(call, rows, message);
  if (code == SQLITE_OK) code = tr_output_commit(&call->output);
  return code;
}

static void finish_export(sqlite3_context *context, int code, int64_t rows, const char *message) {
  if (code == SQLITE_OK) {
    sqlite3_result_int64(context, rows);
  } else if (code == SQLITE_NOMEM) {
    sqlite3_result_error_nomem(context);
  } else {
    /* Codes that would make SQLite prepare or run the calling statement again must not be returned. */
    bool is_internal = code == SQLITE_SCHEMA || code == SQLITE_ABORT || code == SQLITE_NOTFOUND;
    if (message) sqlite3_result_error(context, message, -1);
    sqlite3_result_error_code(context, is_internal ? SQLITE_ERROR : code);
  }
}

/* taskresults_export_csv(path, select, 'name', value, ...) -> INTEGER */
static void export_function(sqlite3_context *context, int argc, sqlite3_value **argv) {
  TrConnection *connection = sqlite3_user_data(context);
  ExportCall call = {.connection = connection, .header = true, .sync = true, .max_chars = -1};
  tr_csv_delimiter(&call.csv, ",");
  call.poll.db = connection->db;
  call.output.target.fd = call.output.target.dir_fd = -1;
  char *message = NULL;
  int64_t rows = 0;
  if (!tr_side_effects_are_allowed(context)) return;
  if (connection->exporting) {
    sqlite3_result_error(context, "taskresults_export_csv: cannot be used inside its own SELECT", -1);
    return;
  }
  connection->exporting = true;
  int code = run_export(&call, argc, argv, &rows, &message);
  tr_output_close(&call.output);
  sqlite3_finalize(call.statement);
  sqlite3_free(call.column_chars);
  tr_poll_close(&call.poll);
  connection->exporting = false;
  finish_export(context, code, rows, message);
  sqlite3_free(message);
}

int tr_export_register(TrConnection *connection) {
  return tr_side_effects_register(connection, "taskresults_export_csv", -1, export_function);
}
