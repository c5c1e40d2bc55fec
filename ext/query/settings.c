/*
** settings.c - which directory, how long a line may be, and when a write is synced.
**
**   CREATE VIRTUAL TABLE temp.old USING task_results(dir='/backup/results', max_line=65536, sync=data)
**   CREATE VIRTUAL TABLE temp.figures USING task_stats(segments=all)
**   CREATE VIRTUAL TABLE temp.cron USING task_results(dir='/home/me/cron/runs', map=openclaw)
**
** A setting without an argument comes from the environment (SCHEDULER_RESULTS_DIR or SCHEDULER_LOGS_DIR,
** TASKRESULTS_MAX_LINE, TASKRESULTS_SYNC, TASKRESULTS_MAP, TASKRESULTS_INDEX), read at each query or transaction, and
** then from the defaults. sync=off is the default because the scheduler itself never syncs: a power cut takes the last
** seconds of its records in any case, and waiting for the disk at each COMMIT would cost a hundred times the append.
** Nothing here looks at the file system before a table is used, so that a table can be dropped even if its directory
** is missing.
*/
#include "query.h"

static bool parse_max_line(const char *text, size_t *max_line) {
  size_t value = 0;
  if (*text == '\0') return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9') return false;
    value = value * 10 + (size_t)(*text - '0');
    if (value > TR_HIGHEST_MAX_LINE) return false;
  }
  *max_line = value;
  return value > 0;
}

static int max_line_error(const char *where, const char *text, char **message) {
  return tr_error(message, SQLITE_ERROR, "%s: '%s' is not a number of bytes from 1 to %d", where, text,
                  TR_HIGHEST_MAX_LINE);
}

static bool parse_sync(const char *text, TrSync *sync) {
  bool off = sqlite3_stricmp(text, "off") == 0, data = sqlite3_stricmp(text, "data") == 0;
  if (off || data) *sync = data ? TR_SYNC_DATA : TR_SYNC_OFF;
  return off || data;
}

static int sync_error(const char *where, const char *text, char **message) {
  return tr_error(message, SQLITE_ERROR, "%s: '%s' is neither off nor data", where, text);
}

static bool parse_segments(const char *text, TrSegments *segments) {
  bool live = sqlite3_stricmp(text, "live") == 0, all = sqlite3_stricmp(text, "all") == 0;
  if (live || all) *segments = all ? TR_SEGMENTS_ALL : TR_SEGMENTS_LIVE;
  return live || all;
}

static int segments_error(const char *where, const char *text, char **message) {
  return tr_error(message, SQLITE_ERROR, "%s: '%s' is neither live nor all", where, text);
}

/* Takes over the value. A file may be made, or corrected, before the table is used. */
static int set_mapping(TrSettings *settings, const TrConnection *connection, char *value, char **message) {
  TrMapping *unused = NULL;
  if (settings->map) {
    sqlite3_free(value);
    return tr_error(message, SQLITE_ERROR, "map is given twice");
  }
  settings->map = value;
  if (value[0] == '@' && connection->read_only)
    return tr_error(message, SQLITE_AUTH, "map='@FILE' is refused, because taskresults was loaded read-only");
  int code = value[0] == '@' ? SQLITE_OK : tr_mapping_load("map", value, &unused, message);
  tr_mapping_free(unused);
  return code;
}

int tr_settings_set(TrSettings *settings, const TrConnection *connection, TrSetting setting, char *value,
                    char **message) {
  int code = SQLITE_OK;
  if (setting == TR_SETTING_DIR) {
    sqlite3_free(settings->dir);
    settings->dir = value;
    return SQLITE_OK;
  } else if (setting == TR_SETTING_MAP) {
    return set_mapping(settings, connection, value, message);
  } else if (setting == TR_SETTING_MAX_LINE && !parse_max_line(value, &settings->max_line)) {
    code = max_line_error("max_line", value, message);
  } else if (setting == TR_SETTING_SEGMENTS && !parse_segments(value, &settings->segments)) {
    code = segments_error("segments", value, message);
  } else if (setting == TR_SETTING_SYNC && !parse_sync(value, &settings->sync)) {
    code = sync_error("sync", value, message);
  }
  sqlite3_free(value);
  return code;
}

/* In the order of TrSetting. Tables that are never written to have no `sync`. */
static const char *const known_of_logs[] = {"dir='PATH'", "max_line=BYTES", NULL};
static const char *const known_of_live[] = {"dir='PATH'", "max_line=BYTES", "sync=off|data", "map='MAPPING'", NULL};
static const char *const known_of_segments[] = {"dir='PATH'",    "max_line=BYTES",    "sync=off|data",
                                                "map='MAPPING'", "segments=live|all", NULL};

static int parse_setting(TrSettings *settings, const TrConnection *connection, const char *table, const char *argument,
                         char **message) {
  const char *const *known = settings->has_segments                 ? known_of_segments
                             : settings->store == &tr_results_store ? known_of_live
                                                                    : known_of_logs;
  int which;
  char *value;
  int code = tr_argument_parse(connection, table, argument, known, &which, &value, message);
  if (code != SQLITE_OK || value == NULL) return code;
  return tr_settings_set(settings, connection, (TrSetting)which, value, message);
}

int tr_settings_parse(TrSettings *settings, const TrConnection *connection, const TrStore *store, const char *table,
                      bool has_segments, int argc, const char *const *argv, char **message) {
  *settings = (TrSettings){.store = store, .has_segments = has_segments};
  int code = SQLITE_OK;
  for (int i = 0; i < argc && code == SQLITE_OK; i++)
    code = parse_setting(settings, connection, table, argv[i], message);
  if (code != SQLITE_OK) tr_settings_free(settings);
  return code;
}

void tr_settings_free(TrSettings *settings) {
  sqlite3_free(settings->dir);
  sqlite3_free(settings->map);
  settings->dir = settings->map = NULL;
}

const char *tr_settings_dir(const TrSettings *settings) {
  if (settings->dir) return settings->dir;
  const char *dir = tr_environment(settings->store->variable);
  return dir ? dir : settings->store->default_dir;
}

int tr_settings_max_line(const TrSettings *settings, size_t *max_line, char **message) {
  const char *text = tr_environment("TASKRESULTS_MAX_LINE");
  *max_line = settings->max_line ? settings->max_line : TR_DEFAULT_MAX_LINE;
  if (settings->max_line || text == NULL || parse_max_line(text, max_line)) return SQLITE_OK;
  return max_line_error("TASKRESULTS_MAX_LINE", text, message);
}

int tr_settings_sync(const TrSettings *settings, TrSync *sync, char **message) {
  const char *text = tr_environment("TASKRESULTS_SYNC");
  *sync = settings->sync == TR_SYNC_UNSET ? TR_SYNC_OFF : settings->sync;
  if (settings->sync != TR_SYNC_UNSET || text == NULL || parse_sync(text, sync)) return SQLITE_OK;
  return sync_error("TASKRESULTS_SYNC", text, message);
}

int tr_settings_segments(const TrSettings *settings, bool *all, char **message) {
  TrSegments segments = settings->segments;
  const char *text =
      settings->has_segments && segments == TR_SEGMENTS_UNSET ? tr_environment("TASKRESULTS_SEGMENTS") : NULL;
  if (text && !parse_segments(text, &segments)) return segments_error("TASKRESULTS_SEGMENTS", text, message);
  *all = segments == TR_SEGMENTS_ALL;
  return SQLITE_OK;
}

/* Only results have a mapping. */
int tr_settings_mapping(const TrSettings *settings, TrMapping **mapping, char **message) {
  const char *source = settings->map;
  const char *where = source ? "map" : "TASKRESULTS_MAP";
  *mapping = NULL;
  if (source == NULL && settings->store == &tr_results_store) source = tr_environment("TASKRESULTS_MAP");
  return source ? tr_mapping_load(where, source, mapping, message) : SQLITE_OK;
}

const TrStore *tr_settings_store(const TrSettings *settings, const TrMapping *mapping, TrStore *own) {
  if (mapping == NULL) return settings->store;
  *own = *settings->store;
  own->prefix = mapping->prefix;
  own->prefix_length = strlen(mapping->prefix);
  own->suffix = mapping->suffix;
  own->suffix_length = strlen(mapping->suffix);
  own->is_one_name = !mapping->has_star;
  return own;
}

int tr_settings_check_native(const TrSettings *settings, const char *what, char **message) {
  const char *source = settings->map ? settings->map : tr_environment("TASKRESULTS_MAP");
  if (source == NULL || strcmp(source, TR_NATIVE) == 0) return SQLITE_OK;
  return tr_error(message, SQLITE_READONLY,
                  "%s: under a mapping (%s) files are only read: they belong to another program; %s", what,
                  settings->map ? "map" : "TASKRESULTS_MAP", "native is the only one whose files are written");
}

int tr_settings_check_unmapped(const TrSettings *settings, const char *what, const char *lacking, char **message) {
  if (tr_settings_check_native(settings, what, NULL) == SQLITE_OK) return SQLITE_OK;
  return tr_error(message, SQLITE_READONLY, "%s: there %s under a mapping (%s): its files belong to another program",
                  what, lacking, settings->map ? "map" : "TASKRESULTS_MAP");
}

int tr_settings_threads(unsigned *threads, char **message) {
  const char *text = tr_environment("TASKRESULTS_THREADS");
  if (text == NULL) {
    *threads = tr_threads_default();
    return SQLITE_OK;
  }
  if (text[1] != '\0' || text[0] < '1' || text[0] > '0' + TR_MAX_THREADS) {
    return tr_error(message, SQLITE_ERROR, "TASKRESULTS_THREADS: '%s' is not a number from 1 to %d", text,
                    TR_MAX_THREADS);
  }
  *threads = (unsigned)(text[0] - '0');
  return SQLITE_OK;
}

static int read_skips_unreadable(bool *skips, char **message) {
  const char *text = tr_environment("TASKRESULTS_UNREADABLE");
  *skips = text && sqlite3_stricmp(text, "skip") == 0;
  if (*skips || text == NULL || sqlite3_stricmp(text, "fail") == 0) return SQLITE_OK;
  return tr_error(message, SQLITE_ERROR, "TASKRESULTS_UNREADABLE: '%s' is neither fail nor skip", text);
}

int tr_settings_read(const TrSettings *settings, TrScanSettings *read, char **message) {
  int code = tr_settings_max_line(settings, &read->max_line, message);
  read->index = settings->store == &tr_results_store ? tr_index_setting() : NULL;
  if (code == SQLITE_OK) code = tr_settings_threads(&read->threads, message);
  return code == SQLITE_OK ? read_skips_unreadable(&read->skips_unreadable, message) : code;
}
