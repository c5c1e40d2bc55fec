/*
** argument.c - a module's argument, `name=value` -> which one it is, and its value.
**
**   CREATE VIRTUAL TABLE temp.old USING task_results(dir='/backup/results', max_line=65536)
**
** SQLite hands arguments over as the user typed them, quotes and white space included. Each module lists the ones it
** knows; it also interprets the values.
*/
#include "base.h"

#include <ctype.h>
#include <string.h>

/* The bytes of an argument without outer white space. */
typedef struct Piece {
  const char *text;
  size_t length;
} Piece;

static Piece trimmed_argument(const char *text, size_t length) {
  while (length > 0 && isspace((unsigned char)text[0])) text++, length--;
  while (length > 0 && isspace((unsigned char)text[length - 1])) length--;
  return (Piece){text, length};
}

static bool is_named(Piece piece, const char *known) {
  return piece.length == strcspn(known, "=") && sqlite3_strnicmp(piece.text, known, (int)piece.length) == 0;
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

static int unknown_argument(const char *table, Piece name, const char *const *known, char **message) {
  sqlite3_str *text = sqlite3_str_new(NULL);
  for (int i = 0; known[i]; i++) {
    const char *between = i == 0 ? "" : known[i + 1] ? ", " : " and ";
    sqlite3_str_appendf(text, "%s%s", between, known[i]);
  }
  char *list = sqlite3_str_finish(text);
  int code = tr_error(message, list ? SQLITE_ERROR : SQLITE_NOMEM, "%s: unknown argument '%.*s'; the arguments are %s",
                      table, (int)name.length, name.text, list ? list : "");
  sqlite3_free(list);
  return code;
}

int tr_argument_parse(const TrConnection *connection, const char *table, const char *argument, const char *const *known,
                      int *which, char **value, char **message) {
  const char *equals = strchr(argument, '=');
  Piece name = trimmed_argument(argument, equals ? (size_t)(equals - argument) : strlen(argument));
  *value = NULL;
  if (equals == NULL && name.length == 0) return SQLITE_OK;
  for (*which = 0; known[*which] && !is_named(name, known[*which]);) ++*which;
  if (equals == NULL || known[*which] == NULL) return unknown_argument(table, name, known, message);
  bool is_path = strstr(known[*which], "PATH") != NULL;
  if (is_path && connection->read_only) {
    return tr_error(message, SQLITE_AUTH, "%s: %.*s= is refused, because taskresults was loaded read-only", table,
                    (int)name.length, name.text);
  }
  *value = unquoted(trimmed_argument(equals + 1, strlen(equals + 1)));
  if (*value == NULL) return SQLITE_NOMEM;
  if (**value || !is_path) return SQLITE_OK;
  sqlite3_free(*value);
  *value = NULL;
  return tr_error(message, SQLITE_ERROR, "%s: %.*s= is empty", table, (int)name.length, name.text);
}
