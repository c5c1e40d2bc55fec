/*
** stats.c - task_stats: one row per job, with the figures of its history.
**
**   SELECT job_id, success_rate, streak, last_error FROM task_stats WHERE streak < 0;
**   SELECT job_id, runs, mttr_s FROM task_stats('2026-02-01T00:00:00Z', NULL);
**   SELECT * FROM task_stats WHERE job_id = 'my-job';
**   CREATE VIRTUAL TABLE temp.old USING task_stats(dir='/backup/results', logs='/backup/logs');
**
** There is a row for each file that task_results can read, even if none of its records counts; it is made in one pass
** over the file (job_pass.c). job_figures.c has the definitions; since and until, the arguments, are time_window.c's.
** How long runs took is in the jobs' logs, which are read only if somebody asks for it (job_durations.c); under a
** mapping, in the records.
*/
#include "tables.h"

enum {
  STATS_JOB_ID,
  STATS_RUNS,
  STATS_SUCCESSES,
  STATS_FAILURES,
  STATS_SUCCESS_RATE,
  STATS_FIRST_RUN,
  STATS_LAST_RUN,
  STATS_LAST_SUCCESS,
  STATS_LAST_FAILURE,
  STATS_LAST_ERROR,
  STATS_STREAK,
  STATS_LONGEST_FAILURE_STREAK,
  STATS_MTBF_S,
  STATS_MTTR_S,
  STATS_REJECTS,
  STATS_P50_S,
  STATS_P95_S,
  STATS_MAX_S,
  STATS_SINCE, /* the first hidden columns are the arguments */
  STATS_UNTIL,
  STATS_JOB,
  STATS_FIRST_RUN_US,
  STATS_LAST_RUN_US,
  STATS_LAST_SUCCESS_US,
  STATS_LAST_FAILURE_US,
  STATS_LAST_DURATION_S,
  STATS_HOST,
  STATS_UNKNOWNS,
  STATS_OTHERS
};

static const char stats_schema[] =
    "CREATE TABLE task_stats("
    "job_id TEXT, runs INTEGER, successes INTEGER, failures INTEGER, success_rate REAL, "
    "first_run TEXT, last_run TEXT, last_success TEXT, last_failure TEXT, last_error TEXT, "
    "streak INTEGER, longest_failure_streak INTEGER, mtbf_s REAL, mttr_s REAL, rejects INTEGER, "
    "p50_s REAL, p95_s REAL, max_s REAL, "
    "since HIDDEN, until HIDDEN, job TEXT HIDDEN, " /* no type: SQLite must not convert what was given */
    "first_run_us INTEGER HIDDEN, last_run_us INTEGER HIDDEN, last_success_us INTEGER HIDDEN, "
    "last_failure_us INTEGER HIDDEN, last_duration_s REAL HIDDEN, host TEXT HIDDEN, "
    "unknowns INTEGER HIDDEN, others INTEGER HIDDEN)";

/* What is kept of a job while files are read. */
typedef struct StatsJob {
  TrJobFigures figures;
  TrQuantiles known_us;     /* durations */
  int64_t last_duration_us; /* of the last run, as its record has it; negative: it does not */
} StatsJob;

typedef struct StatsCursor {
  TrJobPass pass; /* first: job_pass.c knows only this */
  StatsJob *of;   /* owned: of the jobs of shared files; else of the current file alone */
  size_t count, room;
  StatsJob *job; /* the current one */
  bool wants_times, wants_durations;
  bool wants_unbroken;   /* the query reads a figure of runs in a row */
  bool is_watching;      /* the next two may matter to the lines to come */
  int64_t unbroken_from; /* of the file: such figures begin there, and no line there has been read yet; or 0 */
  const char *watched;   /* borrowed: path of the segment of which that is */
  TrJobDurations durations;
} StatsCursor;

/* --- planning ----------------------------------------------------------------------------------------------------- */

/* In idxNum: the query uses the means of outages, quantiles of durations, or figures of runs in a row. */
#define WANTS_TIMES TR_CHECKS_END
#define WANTS_DURATIONS (TR_CHECKS_END << 1)
#define WANTS_UNBROKEN (TR_CHECKS_END << 2)

static TrColumn stats_column_of(int column) {
  switch (column) {
  case STATS_JOB_ID:
  case STATS_JOB: return TR_COLUMN_JOB_ID;
  case STATS_HOST: return TR_COLUMN_HOST;
  case STATS_SINCE: return TR_COLUMN_SINCE;
  case STATS_UNTIL: return TR_COLUMN_UNTIL;
  default: return TR_COLUMN_OTHER;
  }
}

static int stats_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                         char **message) {
  return tr_logged_table_connect(db, connection, stats_schema, false, argc, argv, vtab, message);
}

static int stats_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  const sqlite3_uint64 times = UINT64_C(1) << STATS_MTBF_S | UINT64_C(1) << STATS_MTTR_S;
  const sqlite3_uint64 durations = UINT64_C(1) << STATS_P50_S | UINT64_C(1) << STATS_P95_S | UINT64_C(1) << STATS_MAX_S;
  const sqlite3_uint64 streaks = UINT64_C(1) << STATS_STREAK | UINT64_C(1) << STATS_LONGEST_FAILURE_STREAK;
  int code = tr_time_window_choose(vtab, info, "task_stats", stats_column_of, TR_INDEX_COVERS);
  if (code != SQLITE_OK) return code;
  if (info->colUsed & times) info->idxNum |= WANTS_TIMES;
  if (info->colUsed & durations) info->idxNum |= WANTS_DURATIONS;
  if (info->colUsed & (times | streaks)) info->idxNum |= WANTS_UNBROKEN;
  info->estimatedRows = info->estimatedRows / 1000 + 1; /* records of a job */
  return SQLITE_OK;
}

/* --- the cursor --------------------------------------------------------------------------------------------------- */

/* Of the file that is read now. */
static int watch_file(StatsCursor *stats) {
  TrScan *scan = &stats->pass.cursor.scan;
  if (stats->unbroken_from) tr_job_figures_break(&stats->job->figures); /* the segment before ended with a gap */
  stats->watched = scan->current.path;
  return tr_scan_unbroken_from(scan, &stats->unbroken_from, &stats->pass.cursor.cursor.base.pVtab->zErrMsg);
}

static int begin_watching(StatsCursor *stats) {
  TrScan *scan = &stats->pass.cursor.scan;
  stats->unbroken_from = 0;
  stats->is_watching = false;
  if (!stats->wants_unbroken || scan->filter.jobs_in_records) return SQLITE_OK;
  int code = watch_file(stats);
  stats->is_watching = stats->unbroken_from > 0 || scan->current.file.has_more;
  return code;
}

static int begin_figures(TrJobPass *pass) {
  StatsCursor *stats = (StatsCursor *)pass;
  stats->job->figures.wants_times = stats->wants_times;
  stats->job->last_duration_us = -1;
  tr_job_figures_begin(&stats->job->figures);
  tr_job_durations_begin(&stats->durations);
  return begin_watching(stats);
}

static int select_figures(TrJobPass *pass, size_t which) {
  StatsCursor *stats = (StatsCursor *)pass;
  StatsJob *grown = tr_array_reserve(stats->of, &stats->room, which + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  stats->of = grown;
  for (; stats->count <= which; stats->count++)
    stats->of[stats->count] =
        (StatsJob){.figures.c_locale = tr_table_connection(&pass->cursor.cursor)->c_locale, .last_duration_us = -1};
  stats->job = &stats->of[which];
  stats->durations.known_us = &stats->job->known_us;
  return SQLITE_OK;
}

static void keep_last_duration(StatsCursor *stats, const TrParsed *lines, unsigned count) {
  StatsJob *job = stats->job;
  for (const TrParsed *parsed = lines + count; parsed-- > lines;) {
    if (parsed->reason != TR_OK) continue;
    int64_t us;
    bool is_known = tr_record_duration_us(&parsed->line, &parsed->record, job->figures.c_locale, &us);
    job->last_duration_us = is_known ? us : -1;
    return;
  }
}

/* Not inlined: its caller is called for each line of a short file. */
__attribute__((noinline)) static int add_to_durations(StatsCursor *stats, const TrParsed *lines, unsigned count) {
  TrScan *scan = &stats->pass.cursor.scan;
  if (scan->mapping) keep_last_duration(stats, lines, count);
  return stats->durations.is_wanted ? tr_job_durations_add(&stats->durations, scan, lines, count) : SQLITE_OK;
}

/* Runs in a row are counted anew from that byte on. */
__attribute__((noinline)) static int add_watched(StatsCursor *stats, const TrParsed *lines, unsigned count) {
  unsigned before = 0;
  int code = stats->watched == stats->pass.cursor.scan.current.path ? SQLITE_OK : watch_file(stats);
  if (code != SQLITE_OK || stats->unbroken_from == 0) {
    return code == SQLITE_OK ? tr_job_figures_add(&stats->job->figures, lines, count) : code;
  }
  while (before < count && lines[before].line.offset < stats->unbroken_from) before++;
  code = tr_job_figures_add(&stats->job->figures, lines, before);
  if (code != SQLITE_OK || before == count) return code;
  tr_job_figures_break(&stats->job->figures);
  stats->unbroken_from = 0;
  return tr_job_figures_add(&stats->job->figures, lines + before, count - before);
}

static int add_to_figures(TrJobPass *pass, const TrParsed *lines, unsigned count) {
  StatsCursor *stats = (StatsCursor *)pass;
  int code =
      stats->is_watching ? add_watched(stats, lines, count) : tr_job_figures_add(&stats->job->figures, lines, count);
  return code == SQLITE_OK && stats->wants_durations ? add_to_durations(stats, lines, count) : code;
}

typedef struct KeptLines {
  TrScan *scan;
  char **message;
} KeptLines;

static int read_kept_line(void *context, int64_t offset, const TrParsed **parsed) {
  const KeptLines *lines = context;
  return tr_scan_index_read(lines->scan, offset, parsed, lines->message);
}

/* Records of which only the index told. */
static int complete_figures(TrJobPass *pass, char **message) {
  TrJobFigures *figures = &((StatsCursor *)pass)->job->figures;
  KeptLines lines = {&pass->cursor.scan, message};
  int64_t rejects;
  if (!tr_scan_index_rejects(lines.scan, &rejects)) return SQLITE_NOTFOUND;
  figures->rejects += rejects;
  return tr_job_figures_read_kept(figures, read_kept_line, &lines);
}

static int stats_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  static const TrJobRows rows = {.table = "task_stats",
                                 .begin = begin_figures,
                                 .add = add_to_figures,
                                 .select = select_figures,
                                 .takes_unread = true,
                                 .complete = complete_figures};
  StatsCursor *stats = sqlite3_malloc64(sizeof *stats);
  if (stats == NULL) return SQLITE_NOMEM;
  *stats = (StatsCursor){.job = NULL};
  tr_job_pass_init(&stats->pass, vtab, &rows);
  tr_job_durations_init(&stats->durations, (TrLoggedTable *)vtab);
  *out = &stats->pass.cursor.cursor.base;
  return SQLITE_OK;
}

static int stats_close(sqlite3_vtab_cursor *base) {
  StatsCursor *stats = (StatsCursor *)base;
  for (size_t i = 0; i < stats->count; i++) {
    tr_job_figures_free(&stats->of[i].figures);
    tr_quantiles_free(&stats->of[i].known_us);
  }
  sqlite3_free(stats->of);
  tr_job_durations_end(&stats->durations);
  return tr_job_pass_end(&stats->pass);
}

static int stats_next(sqlite3_vtab_cursor *base) {
  StatsCursor *stats = (StatsCursor *)base;
  int code = tr_job_pass_next(&stats->pass);
  if (code == SQLITE_ROW && stats->unbroken_from) tr_job_figures_break(&stats->job->figures);
  stats->pass.cursor.cursor.at_end = code != SQLITE_ROW;
  return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int stats_filter(sqlite3_vtab_cursor *base, int flags, const char *plan_text, int argc, sqlite3_value **argv) {
  StatsCursor *stats = (StatsCursor *)base;
  stats->pass.cursor.cursor.at_end = true;
  stats->wants_times = flags & WANTS_TIMES;
  stats->wants_unbroken = flags & WANTS_UNBROKEN;
  stats->unbroken_from = 0;
  stats->durations.is_wanted = flags & WANTS_DURATIONS;
  int code = select_figures(&stats->pass, 0);
  if (code == SQLITE_OK) code = tr_job_pass_filter(&stats->pass, flags, plan_text, argc, argv);
  stats->wants_durations = stats->durations.is_wanted || stats->pass.cursor.scan.mapping;
  return code == SQLITE_OK ? stats_next(base) : code;
}

/* The rowid stands for the file, not for a line in it. */
static int stats_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  *rowid = tr_job_pass_rowid((TrJobPass *)base);
  return SQLITE_OK;
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

static void result_kept(sqlite3_context *context, const TrKept *kept, locale_t c_locale, TrScratch *scratch) {
  TrLine line = {.text = kept->bytes, .length = kept->span.length};
  if (kept->span.kind != TR_ABSENT) tr_result_span(context, &line, &kept->span, c_locale, scratch);
}

static void result_kept_us(sqlite3_context *context, const TrKept *kept) {
  int64_t time_us;
  if (tr_kept_time_us(kept, &time_us)) sqlite3_result_int64(context, time_us);
}

static void result_mean_s(sqlite3_context *context, const TrMean *mean) {
  if (mean->count) sqlite3_result_double(context, mean->sum_us / 1e6 / (double)mean->count);
}

static void result_rate(sqlite3_context *context, const TrJobFigures *figures) {
  int64_t known = figures->runs - figures->unknowns;
  if (known) sqlite3_result_double(context, 100.0 * (double)figures->successes / (double)known);
}

static int result_quantile_s(sqlite3_context *context, StatsCursor *stats, unsigned percent) {
  int64_t us;
  bool is_known;
  int code = tr_job_durations_quantile(&stats->durations, &stats->pass.cursor.scan, percent, &us, &is_known);
  if (is_known) sqlite3_result_double(context, (double)us / 1e6);
  return code;
}

static int result_last_duration_s(sqlite3_context *context, StatsCursor *stats) {
  int64_t finish_us, us = stats->job->last_duration_us;
  bool is_known = us >= 0;
  if (is_known) sqlite3_result_double(context, (double)us / 1e6);
  if (is_known || !tr_kept_time_us(tr_job_figures_last_run(&stats->job->figures), &finish_us)) return SQLITE_OK;
  int code = tr_job_durations_of_run(&stats->durations, &stats->pass.cursor.scan, finish_us, &us, &is_known);
  if (is_known) sqlite3_result_double(context, (double)us / 1e6);
  return code;
}

static int stats_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  StatsCursor *stats = (StatsCursor *)base;
  TrScratch *scratch = &stats->pass.cursor.cursor.scratch;
  const TrJobFigures *figures = &stats->job->figures;
  switch (column) {
  case STATS_JOB_ID:
  case STATS_JOB: tr_job_pass_result_job(context, &stats->pass); break;
  case STATS_HOST: tr_job_pass_result_host(context, &stats->pass); break;
  case STATS_RUNS: sqlite3_result_int64(context, figures->runs); break;
  case STATS_SUCCESSES: sqlite3_result_int64(context, figures->successes); break;
  case STATS_FAILURES: sqlite3_result_int64(context, figures->runs - figures->successes - figures->unknowns); break;
  case STATS_SUCCESS_RATE: result_rate(context, figures); break;
  case STATS_FIRST_RUN: result_kept(context, &figures->first_run, figures->c_locale, scratch); break;
  case STATS_LAST_RUN: result_kept(context, tr_job_figures_last_run(figures), figures->c_locale, scratch); break;
  case STATS_LAST_SUCCESS: result_kept(context, &figures->last_success, figures->c_locale, scratch); break;
  case STATS_LAST_FAILURE: result_kept(context, &figures->last_failure, figures->c_locale, scratch); break;
  case STATS_LAST_ERROR: result_kept(context, &figures->last_error, figures->c_locale, scratch); break;
  case STATS_STREAK: sqlite3_result_int64(context, figures->streak); break;
  case STATS_LONGEST_FAILURE_STREAK: sqlite3_result_int64(context, figures->longest_failure_streak); break;
  case STATS_MTBF_S: result_mean_s(context, &figures->between); break;
  case STATS_MTTR_S: result_mean_s(context, &figures->repair); break;
  case STATS_UNKNOWNS: sqlite3_result_int64(context, figures->unknowns); break;
  case STATS_OTHERS: sqlite3_result_int64(context, figures->others); break;
  case STATS_REJECTS: sqlite3_result_int64(context, figures->rejects); break;
  case STATS_P50_S: return result_quantile_s(context, stats, 50);
  case STATS_P95_S: return result_quantile_s(context, stats, 95);
  case STATS_MAX_S: return result_quantile_s(context, stats, 100);
  case STATS_SINCE: tr_time_window_result(context, stats->pass.time_window.since); break;
  case STATS_UNTIL: tr_time_window_result(context, stats->pass.time_window.until); break;
  case STATS_FIRST_RUN_US: result_kept_us(context, &figures->first_run); break;
  case STATS_LAST_RUN_US: result_kept_us(context, tr_job_figures_last_run(figures)); break;
  case STATS_LAST_SUCCESS_US: result_kept_us(context, &figures->last_success); break;
  case STATS_LAST_FAILURE_US: result_kept_us(context, &figures->last_failure); break;
  case STATS_LAST_DURATION_S: return result_last_duration_s(context, stats);
  }
  return SQLITE_OK;
}

int tr_stats_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = stats_connect,
      .xConnect = stats_connect,
      .xBestIndex = stats_best_index,
      .xDisconnect = tr_logged_table_disconnect,
      .xDestroy = tr_logged_table_disconnect,
      .xOpen = stats_open,
      .xClose = stats_close,
      .xFilter = stats_filter,
      .xNext = stats_next,
      .xEof = tr_table_eof,
      .xColumn = stats_column,
      .xRowid = stats_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_stats", &module, connection, tr_connection_unref);
}
