/*
** source.c - which directory, how long a line may be, and when a write is synced.
**
**   CREATE VIRTUAL TABLE temp.old USING task_results(dir='/backup/results', max_line=65536, sync=data)
**
** What the module's arguments leave open comes from the environment (SCHEDULER_RESULTS_DIR, TASKRESULTS_MAX_LINE,
** TASKRESULTS_SYNC), read at each query or transaction, and then from the defaults. sync=off is the default because
** the scheduler itself never syncs: a power cut takes the last seconds of its records in any case, and waiting for the
** disk at each COMMIT would cost a hundred times the append. Nothing here looks at the file system: a table whose
** directory is missing must still be one that can be dropped.
*/
#include "../tr.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of an argument without outer white space. */
typedef struct Piece {
  const char *text;
  size_t length;
} Piece;

static Piece trimmed(const char *text, size_t length) {
  while (length > 0 && isspace((unsigned char)text[0])) text++, length--;
  while (length > 0 && isspace((unsigned char)text[length - 1])) length--;
  return (Piece){text, length};
}

static bool is_named(Piece piece, const char *name) {
  return piece.length == strlen(name) && sqlite3_strnicmp(piece.text, name, (int)piece.length) == 0;
}

/* 'it''s' or "it" or it -> it. NULL: out of memory. */
static char *unquoted(Piece piece) {
  char *value = sqlite3_malloc64(piece.length + 1), *out = value;
  if (value == NULL) return NULL;
  char quote = piece.length >= 2 ? piece.text[0] : 0;
  bool quoted = (quote == '\'' || quote == '"') && piece.text[piece.length - 1] == quote;
  if (quoted) piece = (Piece){piece.text + 1, piece.length - 2};
  for (size_t i = 0; i < piece.length; i++) {
    *out++ = piece.text[i];
    if (quoted && piece.text[i] == quote && i + 1 < piece.length && piece.text[i + 1] == quote) i++;
  }
  *out = '\0';
  return value;
}

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

static int parse_argument(TrSource *source, const char *table, const char *argument, char **message) {
  const char *equals = strchr(argument, '=');
  Piece name = trimmed(argument, equals ? (size_t)(equals - argument) : strlen(argument));
  Piece rest = equals ? trimmed(equals + 1, strlen(equals + 1)) : (Piece){"", 0};
  bool is_dir = is_named(name, "dir"), is_max_line = is_named(name, "max_line"), is_sync = is_named(name, "sync");
  if (equals == NULL || !(is_dir || is_max_line || is_sync)) {
    return tr_error(message, SQLITE_ERROR,
                    "%s: unknown argument '%.*s'; the arguments are dir='PATH', max_line=BYTES and sync=off|data",
                    table, (int)name.length, name.text);
  }
  char *value = unquoted(rest);
  if (value == NULL) return SQLITE_NOMEM;
  int code = SQLITE_OK;
  if (is_dir && *value == '\0') {
    code = tr_error(message, SQLITE_ERROR, "%s: dir= names no directory", table);
  } else if (is_dir) {
    sqlite3_free(source->dir);
    source->dir = value;
    return SQLITE_OK;
  } else if (is_max_line && !parse_max_line(value, &source->max_line)) {
    code = max_line_error("max_line", value, message);
  } else if (is_sync && !parse_sync(value, &source->sync)) {
    code = sync_error("sync", value, message);
  }
  sqlite3_free(value);
  return code;
}

int tr_source_parse(TrSource *source, const char *table, int argc, const char *const *argv, char **message) {
  *source = (TrSource){0};
  int code = SQLITE_OK;
  for (int i = 0; i < argc && code == SQLITE_OK; i++) {
    if (trimmed(argv[i], strlen(argv[i])).length > 0) code = parse_argument(source, table, argv[i], message);
  }
  if (code != SQLITE_OK) tr_source_free(source);
  return code;
}

void tr_source_free(TrSource *source) {
  sqlite3_free(source->dir);
  source->dir = NULL;
}

static const char *environment(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

const char *tr_source_dir(const TrSource *source) {
  if (source->dir) return source->dir;
  const char *dir = environment("SCHEDULER_RESULTS_DIR");
  return dir ? dir : TR_DEFAULT_DIR;
}

int tr_source_max_line(const TrSource *source, size_t *max_line, char **message) {
  const char *text = environment("TASKRESULTS_MAX_LINE");
  *max_line = source->max_line ? source->max_line : TR_DEFAULT_MAX_LINE;
  if (source->max_line || text == NULL || parse_max_line(text, max_line)) return SQLITE_OK;
  return max_line_error("TASKRESULTS_MAX_LINE", text, message);
}

int tr_source_sync(const TrSource *source, TrSync *sync, char **message) {
  const char *text = environment("TASKRESULTS_SYNC");
  *sync = source->sync == TR_SYNC_UNSET ? TR_SYNC_OFF : source->sync;
  if (source->sync != TR_SYNC_UNSET || text == NULL || parse_sync(text, sync)) return SQLITE_OK;
  return sync_error("TASKRESULTS_SYNC", text, message);
}
