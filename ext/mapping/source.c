/*
** source.c - what a user says -> a mapping: the name of one that is built in, @FILE, or JSON itself.
**
** The file is read anew for each query, so it may be edited while a program runs.
*/
#include "mapping.h"

#include <fcntl.h>

static int unknown_mapping(const char *where, const char *source, char **message) {
  sqlite3_str *names = sqlite3_str_new(NULL);
  for (int i = 0; tr_mapping_names[i]; i++) sqlite3_str_appendf(names, "%s, ", tr_mapping_names[i]);
  char *list = sqlite3_str_finish(names);
  int code = tr_error(message, list ? SQLITE_ERROR : SQLITE_NOMEM,
                      "%s: '%s' is no mapping; there are %s@FILE for one of your own, and JSON itself", where, source,
                      list ? list : "");
  sqlite3_free(list);
  return code;
}

static int read_mapping_file(const char *path, char **text, char **message) {
  struct stat found;
  size_t length = 0;
  int fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (fd < 0) return tr_error(message, SQLITE_CANTOPEN, "mapping %s: %s", path, strerror(errno));
  int code = fstat(fd, &found) == 0
                 ? SQLITE_OK
                 : tr_error(message, SQLITE_IOERR_FSTAT, "mapping %s cannot be examined: %s", path, strerror(errno));
  if (code == SQLITE_OK && !S_ISREG(found.st_mode))
    code =
        tr_error(message, SQLITE_CANTOPEN, "mapping %s: not a regular file, but %s", path, tr_file_type(found.st_mode));
  *text = code == SQLITE_OK ? sqlite3_malloc64(TR_MAX_MAPPING_BYTES + 2) : NULL;
  if (code == SQLITE_OK && *text == NULL) code = SQLITE_NOMEM;
  while (code == SQLITE_OK && length <= TR_MAX_MAPPING_BYTES) {
    ssize_t got = TEMP_FAILURE_RETRY(read(fd, *text + length, TR_MAX_MAPPING_BYTES + 1 - length));
    if (got < 0)
      code =
          tr_error(message, SQLITE_IOERR_READ, "mapping %s: byte %lld: %s", path, (long long)length, strerror(errno));
    if (got <= 0) break;
    length += (size_t)got;
  }
  close(fd);
  if (code == SQLITE_OK) (*text)[length] = '\0';
  if (code == SQLITE_OK && strlen(*text) < length)
    code = tr_error(message, SQLITE_ERROR, "mapping %s: byte %lld: NUL", path, (long long)strlen(*text));
  return code;
}

static int copy_mapping_text(const char *source, char **text) {
  *text = sqlite3_mprintf("%s", source);
  return *text ? SQLITE_OK : SQLITE_NOMEM;
}

static int text_of_source(const char *where, const char *source, char **text, char **message) {
  const char *builtin = tr_mapping_builtin(source);
  bool is_json = source[strspn(source, " \t\r\n")] == '{';
  if (source[0] == '@') return read_mapping_file(source + 1, text, message);
  return builtin || is_json ? copy_mapping_text(builtin ? builtin : source, text)
                            : unknown_mapping(where, source, message);
}

int tr_mapping_read(const char *where, const char *source, char **text, TrMapping **mapping, char **message) {
  bool is_builtin = tr_mapping_builtin(source) != NULL;
  *text = NULL;
  *mapping = NULL;
  char *what =
      source[0] == '@' ? sqlite3_mprintf("mapping %s", source + 1) : sqlite3_mprintf("%s", is_builtin ? source : where);
  int code = what ? text_of_source(where, source, text, message) : SQLITE_NOMEM;
  if (code == SQLITE_OK) code = tr_mapping_parse(what, *text, mapping, message);
  if (code != SQLITE_OK) {
    sqlite3_free(*text);
    *text = NULL;
  }
  sqlite3_free(what);
  return code;
}

int tr_mapping_load(const char *where, const char *source, TrMapping **mapping, char **message) {
  char *text;
  *mapping = NULL;
  if (strcmp(source, TR_NATIVE) == 0) return SQLITE_OK;
  int code = tr_mapping_read(where, source, &text, mapping, message);
  sqlite3_free(text);
  return code;
}
