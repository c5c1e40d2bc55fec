/*
** json_file.c - a small JSON file that others rewrite in place -> its values.
**
** The scheduler truncates and rewrites such a file without a lock, so we may read half of it. A read is good if the
** file did not change meanwhile and Python's json.loads() would accept it: cJSON is too lax to validate (see
** verdict.c), so the slow lane validates first, and cJSON builds the tree. A bad read is repeated for `patience_ms`;
** then the error names the cause and the byte.
**
** Python accepts some things that cJSON cannot represent. Escapes of NUL and of lone surrogates are replaced by U+FFFD
** first. NaN, Infinity and numbers of more than 63 characters are an error. Numbers are doubles. The tree is cJSON's,
** from its default allocator, and is freed here; no other file knows its structure.
*/
#include "scheduler.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include <cJSON.h>

#define RETRY_MS 20
#define MAX_FILE_BYTES (64 * 1024 * 1024)

typedef struct JsonLook {
  char *text; /* owned, NUL-terminated */
  size_t length;
} JsonLook;

/* --- one look ----------------------------------------------------------------------------------------------------- */

static int json_open_error(int reason, char **message) {
  return tr_error(message, reason == ENOENT ? SQLITE_NOTFOUND : SQLITE_CANTOPEN, "%s", strerror(reason));
}

static int json_read_error(int64_t at, int reason, char **message) {
  return tr_error(message, SQLITE_IOERR_READ, "byte %lld: %s", (long long)at, strerror(reason));
}

/* SQLITE_BUSY: it changed meanwhile; read it again. */
static int read_open_file(int fd, const struct stat *before, TrPoll *poll, JsonLook *look, char **message) {
  size_t room = (size_t)before->st_size + 1; /* one byte more, to notice that it grows */
  look->text = sqlite3_malloc64(room + 1);
  if (look->text == NULL) return SQLITE_NOMEM;
  while (look->length < room) {
    ssize_t got = pread(fd, look->text + look->length, room - look->length, (off_t)look->length);
    if (got < 0 && errno != EINTR) return json_read_error((int64_t)look->length, errno, message);
    int code = tr_poll(poll);
    if (code != SQLITE_OK) return code;
    if (got == 0) break;
    if (got > 0) look->length += (size_t)got;
  }
  look->text[look->length] = '\0';
  struct stat after;
  if (fstat(fd, &after) != 0) return json_read_error(0, errno, message);
  bool same = look->length == (size_t)before->st_size && after.st_size == before->st_size &&
              after.st_mtim.tv_sec == before->st_mtim.tv_sec && after.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
  return same ? SQLITE_OK : tr_error(message, SQLITE_BUSY, "it changed while it was read");
}

static int read_file(int dirfd, const char *name, int flags, TrPoll *poll, JsonLook *look, char **message) {
  struct stat before;
  int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | flags);
  if (fd < 0 && errno == EINTR) return tr_error(message, SQLITE_BUSY, "%s", strerror(EINTR));
  if (fd < 0) return json_open_error(errno, message);
  int code = SQLITE_OK;
  if (fstat(fd, &before) != 0) {
    code = json_open_error(errno, message);
  } else if (!S_ISREG(before.st_mode)) {
    code = tr_error(message, SQLITE_CANTOPEN, "not a regular file, but %s", tr_file_type(before.st_mode));
  } else if (before.st_size > MAX_FILE_BYTES) {
    code = tr_error(message, SQLITE_CANTOPEN, "larger than %d MiB", MAX_FILE_BYTES / 1024 / 1024);
  } else {
    code = read_open_file(fd, &before, poll, look, message);
  }
  close(fd);
  return code;
}

/* --- text -> tree ------------------------------------------------------------------------------------------------- */

/* The slow lane reads one line, so newlines become carriage returns: as good between tokens, and as wrong within a
** string. */
static int validate_json(const JsonLook *look, char **message) {
  char *line = sqlite3_malloc64(look->length + TR_PADDING);
  if (line == NULL) return SQLITE_NOMEM;
  for (size_t i = 0; i < look->length; i++) line[i] = look->text[i] == '\n' ? '\r' : look->text[i];
  memset(line + look->length, 0, TR_PADDING);
  size_t at;
  TrReason reason = tr_slow_lane_at((unsigned char *)line, look->length, &at);
  sqlite3_free(line);
  if (reason == TR_OK) return SQLITE_OK;
  return tr_error(message, SQLITE_CORRUPT, "byte %lld: %s", (long long)at,
                  reason == TR_BLANK ? "nothing in it" : tr_reason_text(reason));
}

/* The code of a \uXXXX escape, which is known to be well-formed. False: another escape, or none. */
static bool is_unicode_escape(const char *p, uint32_t *code) {
  if (p[0] != '\\' || p[1] != 'u') return false;
  *code = tr_hex4((const unsigned char *)p + 2);
  return true;
}

/* The text is well-formed, so backslashes occur only in strings. */
static void replace_what_cjson_cannot_hold(JsonLook *look) {
  for (char *p = look->text; (p = strchr(p, '\\')) != NULL;) {
    uint32_t code, next;
    if (!is_unicode_escape(p, &code)) {
      p += 2;
    } else if (tr_is_high_surrogate(code) && is_unicode_escape(p + 6, &next) && tr_is_low_surrogate(next)) {
      p += 12;
    } else {
      if (code == 0 || tr_is_high_surrogate(code) || tr_is_low_surrogate(code)) memcpy(p, "\\ufffd", 6);
      p += 6;
    }
  }
}

/* Of well-formed text, cJSON can read all but these names, and numbers of more than 63 characters, within which it
** stops. If it stops elsewhere, memory ran out. */
static bool is_beyond_cjson(const char *text, const char *at) {
  static const char of_number[] = "0123456789+-.eE";
  const char *name = at + (*at == '-');
  if (*name == 'N' || *name == 'I') return true;
  return at > text && *at && strchr(of_number, *at) && strchr(of_number, at[-1]);
}

static int build(JsonLook *look, TrJson **root, char **message) {
  const char *end = look->text;
  int code = validate_json(look, message);
  if (code != SQLITE_OK) return code;
  replace_what_cjson_cannot_hold(look);
  *root = (TrJson *)cJSON_ParseWithLengthOpts(look->text, look->length + 1, &end, 1);
  if (*root) return SQLITE_OK;
  if (!is_beyond_cjson(look->text, end)) return SQLITE_NOMEM;
  return tr_error(message, SQLITE_CORRUPT, "byte %lld: NaN, Infinity or a number of more than 63 characters",
                  (long long)(end - look->text));
}

/* *message has the error of the last read. */
static int look_once(int dirfd, const char *name, int flags, TrPoll *poll, TrJson **root, char **message) {
  JsonLook look = {0};
  sqlite3_free(*message);
  *message = NULL;
  int code = read_file(dirfd, name, flags, poll, &look, message);
  if (code == SQLITE_OK) code = build(&look, root, message);
  sqlite3_free(look.text);
  return code == SQLITE_BUSY ? SQLITE_CORRUPT : code;
}

int tr_json_parse(const char *text, size_t length, TrJson **root, char **message) {
  JsonLook look = {.text = sqlite3_malloc64(length + 1), .length = length};
  *root = NULL;
  if (look.text == NULL) return SQLITE_NOMEM;
  memcpy(look.text, text, length);
  look.text[length] = '\0';
  int code = build(&look, root, message);
  sqlite3_free(look.text);
  return code;
}

int tr_json_load(int dirfd, const char *name, int flags, int patience_ms, TrPoll *poll, TrJson **root, char **message) {
  *root = NULL;
  for (int waited_ms = 0;; waited_ms += RETRY_MS) {
    int code = look_once(dirfd, name, flags, poll, root, message);
    if (code != SQLITE_CORRUPT || waited_ms >= patience_ms) return code;
    code = tr_poll_sleep(poll, RETRY_MS);
    if (code != SQLITE_OK) return code;
  }
}

/* --- values ------------------------------------------------------------------------------------------------------- */

void tr_json_free(TrJson *root) {
  cJSON_Delete((cJSON *)root);
}

/* Of duplicate keys the last one counts, as in Python. */
const TrJson *tr_json_member(const TrJson *object, const char *key) {
  const cJSON *found = NULL, *member;
  if (!cJSON_IsObject((const cJSON *)object)) return NULL;
  cJSON_ArrayForEach(member, (const cJSON *)object) {
    if (strcmp(member->string, key) == 0) found = member;
  }
  return (const TrJson *)found;
}

bool tr_json_is_object(const TrJson *value) {
  return cJSON_IsObject((const cJSON *)value);
}

bool tr_json_is_array(const TrJson *value) {
  return cJSON_IsArray((const cJSON *)value);
}

bool tr_json_is_bool(const TrJson *value) {
  return cJSON_IsBool((const cJSON *)value);
}

const TrJson *tr_json_first(const TrJson *array) {
  return (const TrJson *)((const cJSON *)array)->child;
}

const TrJson *tr_json_next(const TrJson *element) {
  return (const TrJson *)((const cJSON *)element)->next;
}

const char *tr_json_text(const TrJson *value) {
  return cJSON_GetStringValue((cJSON *)value);
}

const char *tr_json_key(const TrJson *member) {
  return ((const cJSON *)member)->string;
}

bool tr_json_number(const TrJson *value, double *number) {
  const cJSON *item = (const cJSON *)value;
  if (cJSON_IsNumber(item)) *number = item->valuedouble;
  return cJSON_IsNumber(item);
}

bool tr_json_integer(const TrJson *value, int64_t *number) {
  const cJSON *item = (const cJSON *)value;
  if (!cJSON_IsNumber(item) || fabs(item->valuedouble) >= TR_EXACT_DOUBLE) return false;
  *number = (int64_t)item->valuedouble;
  return (double)*number == item->valuedouble;
}

bool tr_json_count(const TrJson *object, const char *key, int64_t *count) {
  return tr_json_integer(tr_json_member(object, key), count) && *count >= 0;
}

bool tr_json_is_truthy(const TrJson *value) {
  const cJSON *item = (const cJSON *)value;
  if (cJSON_IsNumber(item)) return item->valuedouble != 0;
  if (cJSON_IsString(item)) return item->valuestring[0] != '\0';
  if (cJSON_IsObject(item) || cJSON_IsArray(item)) return item->child != NULL;
  return cJSON_IsTrue(item);
}

void tr_json_result_source(sqlite3_context *context, const TrJson *value) {
  char *text = cJSON_PrintUnformatted((const cJSON *)value);
  if (text == NULL) {
    sqlite3_result_error_nomem(context);
    return;
  }
  sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
  cJSON_free(text);
}

int tr_json_append_source(sqlite3_str *out, const TrJson *value) {
  char *text = cJSON_PrintUnformatted((const cJSON *)value);
  if (text == NULL) return SQLITE_NOMEM;
  sqlite3_str_appendall(out, text);
  cJSON_free(text);
  return sqlite3_str_errcode(out);
}

void tr_json_result(sqlite3_context *context, const TrJson *value) {
  const cJSON *item = (const cJSON *)value;
  int64_t number;
  if (item == NULL || cJSON_IsNull(item)) return;
  if (cJSON_IsBool(item)) {
    sqlite3_result_int(context, cJSON_IsTrue(item));
  } else if (cJSON_IsString(item)) {
    sqlite3_result_text(context, item->valuestring, -1, SQLITE_TRANSIENT);
  } else if (tr_json_integer(value, &number)) {
    sqlite3_result_int64(context, number);
  } else if (cJSON_IsNumber(item)) {
    sqlite3_result_double(context, item->valuedouble);
  } else {
    tr_json_result_source(context, value);
  }
}
