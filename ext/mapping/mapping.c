/*
** mapping.c - JSON -> a mapping, or what is wrong with it, and where.
**
** A key that is not known, or that is there twice, is an error: a typo must not become another meaning. A message names
** the place as a path, success[1].status; or the byte, if the text is not JSON (syntax.c).
*/
#include "mapping.h"

#include <stdlib.h>

#include <cJSON.h>

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

typedef struct MapReader {
  const char *what; /* borrowed; for messages */
  TrMapping *mapping;
  char **message; /* borrowed */
  int code;
} MapReader;

/* --- messages ----------------------------------------------------------------------------------------------------- */

/* Where a value is: at a member of what is `within`, or (key NULL) at an element. */
typedef struct MapPlace {
  const struct MapPlace *within; /* NULL: the mapping itself */
  const char *key;
  int index;
} MapPlace;

static void append_place(sqlite3_str *out, const MapPlace *place) {
  if (place == NULL) return;
  append_place(out, place->within);
  if (place->key) {
    sqlite3_str_appendf(out, "%s%s", sqlite3_str_length(out) ? "." : "", place->key);
  } else {
    sqlite3_str_appendf(out, "[%d]", place->index);
  }
}

/* False, always. */
static bool refuse_at(MapReader *reader, const MapPlace *place, const char *words) {
  sqlite3_str *path = sqlite3_str_new(NULL);
  append_place(path, place);
  bool has_path = sqlite3_str_length(path) > 0;
  char *text = sqlite3_str_finish(path);
  reader->code = tr_error(reader->message, SQLITE_ERROR, "%s: %s%s%s", reader->what, has_path && text ? text : "",
                          has_path ? ": " : "", words);
  sqlite3_free(text);
  return false;
}

static bool refuse_key(MapReader *reader, const MapPlace *place, const char *problem, const char *known) {
  char words[400];
  sqlite3_snprintf(sizeof words, words, "%s%s%s", problem, *known ? "; the keys here are " : "", known);
  return refuse_at(reader, place, words);
}

/* --- objects ------------------------------------------------------------------------------------------------------ */

/* A list such as "key, unit" has this word. */
static bool is_in_list(const char *list, const char *word) {
  size_t length = strlen(word);
  if (strchr(word, ',')) return false;
  for (const char *p = list; (p = strstr(p, word)) != NULL; p += length) {
    bool begins = p == list || p[-1] == ' ', ends = p[length] == '\0' || p[length] == ',';
    if (begins && ends && length > 0) return true;
  }
  return false;
}

/* Has the object only these members, each of them once? `known` NULL: any. */
static bool check_members(MapReader *reader, const cJSON *object, const MapPlace *place, const char *known) {
  const cJSON *member, *other;
  cJSON_ArrayForEach(member, object) {
    MapPlace at = {.within = place, .key = member->string};
    if (known && !is_in_list(known, member->string)) return refuse_key(reader, &at, "unknown key", known);
    for (other = object->child; other != member; other = other->next) {
      if (strcmp(other->string, member->string) == 0) return refuse_key(reader, &at, "is there twice", "");
    }
  }
  return true;
}

static const cJSON *member_of(const cJSON *object, const char *key) {
  return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static bool check_key(MapReader *reader, const cJSON *value, const MapPlace *place) {
  size_t length = cJSON_IsString(value) ? strlen(value->valuestring) : 0;
  if (length >= 1 && length <= TR_MAX_KEY_BYTES) return true;
  return refuse_at(reader, place, cJSON_IsString(value) ? "a key has 1 to 64 bytes" : "must be a key");
}

static bool add_key(MapReader *reader, const char *parent, const char *key, const MapPlace *place, uint8_t *slot) {
  return tr_keys_add(&reader->mapping->keys, parent, key, slot) || refuse_at(reader, place, "these are too many keys");
}

/* A text, or an array of two: a key, and one within its value. */
static bool read_key(MapReader *reader, const cJSON *value, const MapPlace *place, uint8_t *slot) {
  const char *parent = NULL;
  if (cJSON_IsArray(value)) {
    if (cJSON_GetArraySize(value) != 2) return refuse_at(reader, place, "an array of two keys, or one key");
    if (!check_key(reader, value->child, place)) return false;
    parent = value->child->valuestring;
    value = value->child->next;
  }
  return check_key(reader, value, place) && add_key(reader, parent, value->valuestring, place, slot);
}

/* Calls `read` for the value, or, if it is {"any": [values]}, for each of these. */
static bool read_any(MapReader *reader, const cJSON *value, const MapPlace *place, TrChoice *choice,
                     bool (*read)(MapReader *, const cJSON *, const MapPlace *, TrChoice *)) {
  const cJSON *list = cJSON_IsObject(value) ? member_of(value, "any") : NULL;
  if (list == NULL) return read(reader, value, place, choice);
  MapPlace at_any = {.within = place, .key = "any"}, at = {.within = &at_any};
  if (!check_members(reader, value, place, "any")) return false;
  if (!cJSON_IsArray(list) || list->child == NULL) return refuse_at(reader, &at_any, "must be a list of keys");
  for (const cJSON *one = list->child; one; one = one->next, at.index++) {
    if (choice->count == TR_CHOICES) return refuse_at(reader, &at, "these are too many");
    if (!read(reader, one, &at, choice)) return false;
  }
  return true;
}

static bool read_one_key(MapReader *reader, const cJSON *value, const MapPlace *place, TrChoice *choice) {
  return read_key(reader, value, place, &choice->slot[choice->count]) && ++choice->count;
}

static bool read_one_duration(MapReader *reader, const cJSON *value, const MapPlace *place, TrChoice *choice) {
  MapPlace at_key = {.within = place, .key = "key"}, at_unit = {.within = place, .key = "unit"};
  if (!cJSON_IsObject(value)) return refuse_at(reader, place, "must be {\"key\": KEY, \"unit\": \"ms\" or \"s\"}");
  if (!check_members(reader, value, place, "key, unit")) return false;
  const cJSON *unit = member_of(value, "unit"), *key = member_of(value, "key");
  const char *name = cJSON_IsString(unit) ? unit->valuestring : "";
  bool in_seconds = strcmp(name, "s") == 0;
  if (key == NULL) return refuse_at(reader, &at_key, "is missing");
  if (!in_seconds && strcmp(name, "ms") != 0) return refuse_at(reader, &at_unit, "must be \"ms\" or \"s\"");
  if (in_seconds) reader->mapping->in_seconds |= UINT32_C(1) << choice->count;
  return read_one_key(reader, key, &at_key, choice);
}

/* A member that names a key or several; it may be missing. */
static bool read_choice(MapReader *reader, const cJSON *root, const char *key, TrChoice *choice) {
  MapPlace place = {.key = key};
  const cJSON *value = member_of(root, key);
  return value == NULL || read_any(reader, value, &place, choice, read_one_key);
}

/* --- lists of cases ----------------------------------------------------------------------------------------------- */

static const char *keep_text(TrMapping *mapping, const char *text) {
  size_t length = strlen(text);
  char *kept = mapping->texts + mapping->texts_length;
  memcpy(kept, text, length + 1);
  mapping->texts_length += length + 1;
  return kept;
}

static bool read_match(MapReader *reader, const cJSON *value, const MapPlace *place) {
  TrMapping *mapping = reader->mapping;
  if (mapping->values == TR_MAX_VALUES) return refuse_at(reader, place, "these are too many values");
  if (cJSON_IsObject(value) || cJSON_IsArray(value))
    return refuse_at(reader, place, "must be a text, a number, true, false or null");
  TrMatch *match = &mapping->value[mapping->values++];
  match->kind = cJSON_IsTrue(value)     ? TR_MATCH_TRUE
                : cJSON_IsFalse(value)  ? TR_MATCH_FALSE
                : cJSON_IsNumber(value) ? TR_MATCH_NUMBER
                : cJSON_IsString(value) ? TR_MATCH_TEXT
                                        : TR_MATCH_NULL;
  if (match->kind == TR_MATCH_NUMBER) match->number = value->valuedouble;
  if (match->kind != TR_MATCH_TEXT) return true;
  match->text = keep_text(mapping, value->valuestring);
  match->length = (uint32_t)strlen(match->text);
  return true;
}

/* A member of a case: KEY: [values]. */
static bool read_pair(MapReader *reader, const char *parent, const cJSON *member, const MapPlace *place) {
  TrMapping *mapping = reader->mapping;
  MapPlace at = {.within = place};
  size_t length = strlen(member->string);
  if (length < 1 || length > TR_MAX_KEY_BYTES) return refuse_at(reader, place, "a key has 1 to 64 bytes");
  if (!cJSON_IsArray(member) || member->child == NULL)
    return refuse_at(reader, place, "must be a list of values, such as [\"ok\"]");
  if (mapping->pairs == TR_MAX_PAIRS) return refuse_at(reader, place, "these are too many keys");
  TrPair *pair = &mapping->pair[mapping->pairs++];
  pair->values.first = (uint16_t)mapping->values;
  if (!add_key(reader, parent, member->string, place, &pair->slot)) return false;
  for (const cJSON *value = member->child; value; value = value->next, at.index++) {
    if (!read_match(reader, value, &at)) return false;
    pair->values.count++;
  }
  return true;
}

/* The pairs of a case: those within an object are of keys below its key. */
static bool read_pairs(MapReader *reader, const char *parent, const cJSON *object, const MapPlace *place) {
  if (!check_members(reader, object, place, NULL)) return false;
  if (object->child == NULL) return refuse_at(reader, place, "must have a key");
  for (const cJSON *member = object->child; member; member = member->next) {
    MapPlace at = {.within = place, .key = member->string};
    size_t length = strlen(member->string);
    bool is_outer = parent == NULL && cJSON_IsObject(member) && length >= 1 && length <= TR_MAX_KEY_BYTES;
    bool is_read = is_outer ? read_pairs(reader, member->string, member, &at) : read_pair(reader, parent, member, &at);
    if (!is_read) return false;
  }
  return true;
}

static bool read_cases(MapReader *reader, const cJSON *root, const char *key, TrSlice *cases) {
  TrMapping *mapping = reader->mapping;
  MapPlace place = {.key = key}, at = {.within = &place};
  const cJSON *list = member_of(root, key);
  if (list == NULL) return true;
  if (!cJSON_IsArray(list) || list->child == NULL)
    return refuse_at(reader, &place, "must be a list, such as [{\"status\": [\"ok\"]}]");
  cases->first = (uint16_t)mapping->cases;
  for (const cJSON *object = list->child; object; object = object->next, at.index++) {
    if (!cJSON_IsObject(object)) return refuse_at(reader, &at, "must be an object, such as {\"status\": [\"ok\"]}");
    if (mapping->cases == TR_MAX_CASES) return refuse_at(reader, &at, "these are too many");
    unsigned first = mapping->pairs;
    if (!read_pairs(reader, NULL, object, &at)) return false;
    mapping->case_[mapping->cases++] = (TrSlice){(uint16_t)first, (uint16_t)(mapping->pairs - first)};
    cases->count++;
  }
  return true;
}

/* --- the mapping -------------------------------------------------------------------------------------------------- */

static bool read_files(MapReader *reader, const cJSON *root) {
  static const MapPlace place = {.key = "files"};
  TrMapping *mapping = reader->mapping;
  const cJSON *value = member_of(root, "files");
  const char *glob = value == NULL ? "*.jsonl" : cJSON_IsString(value) ? value->valuestring : "";
  const char *star = strchr(glob, '*');
  if (*glob == '\0' || strchr(glob, '/')) return refuse_at(reader, &place, "must be a name with or without a *");
  if (star && strchr(star + 1, '*')) return refuse_at(reader, &place, "only one * can stand for a part of the name");
  if (star == NULL && !mapping->job_in_record)
    return refuse_at(reader, &place, "needs a *, which stands for the job; or \"job\" names a key");
  mapping->has_star = star != NULL;
  mapping->prefix = sqlite3_mprintf("%.*s", (int)(star ? star - glob : (ptrdiff_t)strlen(glob)), glob);
  mapping->suffix = sqlite3_mprintf("%s", star ? star + 1 : "");
  if (mapping->prefix == NULL || mapping->suffix == NULL) reader->code = SQLITE_NOMEM;
  return reader->code == SQLITE_OK;
}

static bool read_job(MapReader *reader, const cJSON *root) {
  const cJSON *value = member_of(root, "job");
  if (value == NULL || (cJSON_IsString(value) && strcmp(value->valuestring, "file") == 0)) return true;
  reader->mapping->job_in_record = true;
  return read_choice(reader, root, "job", &reader->mapping->job);
}

static bool read_order(MapReader *reader, const cJSON *root) {
  static const MapPlace place = {.key = "order"};
  const cJSON *value = member_of(root, "order");
  const char *name = value == NULL ? "name" : cJSON_IsString(value) ? value->valuestring : "";
  reader->mapping->by_number = strcmp(name, "number") == 0;
  if (!reader->mapping->by_number && strcmp(name, "name") != 0)
    return refuse_at(reader, &place, "must be \"name\" or \"number\"");
  if (value == NULL || reader->mapping->job_in_record) return true;
  return refuse_at(reader, &place, "is for files that jobs share: \"job\" has to name a key");
}

static bool read_duration(MapReader *reader, const cJSON *root) {
  static const MapPlace place = {.key = "duration"};
  const cJSON *value = member_of(root, "duration");
  return value == NULL || read_any(reader, value, &place, &reader->mapping->duration, read_one_duration);
}

/* A key, of whose value the truth decides; or the lists. */
static bool read_outcome(MapReader *reader, const cJSON *root) {
  static const MapPlace place = {.key = "success"};
  TrMapping *mapping = reader->mapping;
  const cJSON *success = member_of(root, "success");
  bool has_lists = member_of(root, "failure") || member_of(root, "unknown");
  if (cJSON_IsString(success)) {
    mapping->has_truth = true;
    if (has_lists) return refuse_at(reader, &place, "if it is a key, there is no failure and no unknown");
    return read_key(reader, success, &place, &mapping->truth);
  }
  if (success == NULL && member_of(root, "failure") == NULL)
    return refuse_at(reader, NULL, "success and failure are missing, so no run would be either");
  return read_cases(reader, root, "success", &mapping->success) &&
         read_cases(reader, root, "failure", &mapping->failure) &&
         read_cases(reader, root, "unknown", &mapping->unknown);
}

static bool read_mapping(MapReader *reader, const cJSON *root) {
  static const char known[] =
      "files, job, order, timestamp, started, name, output, error, duration, where, success, failure, unknown";
  static const MapPlace timestamp = {.key = "timestamp"};
  TrMapping *mapping = reader->mapping;
  if (!cJSON_IsObject(root)) return refuse_at(reader, NULL, "must be an object");
  if (!check_members(reader, root, NULL, known)) return false;
  if (member_of(root, "timestamp") == NULL) return refuse_at(reader, &timestamp, "is missing");
  bool is_read =
      read_job(reader, root) && read_files(reader, root) && read_order(reader, root) &&
      read_choice(reader, root, "timestamp", &mapping->timestamp) &&
      read_choice(reader, root, "started", &mapping->started) && read_choice(reader, root, "name", &mapping->name) &&
      read_choice(reader, root, "output", &mapping->output) && read_choice(reader, root, "error", &mapping->error) &&
      read_duration(reader, root) && read_cases(reader, root, "where", &mapping->where) && read_outcome(reader, root);
  tr_keys_end(&mapping->keys);
  return is_read;
}

static void list_deciding_slots(TrMapping *mapping) {
  bool is_listed[TR_MAX_KEYS] = {false};
  for (unsigned i = 0; i < mapping->pairs; i++) {
    uint8_t slot = mapping->pair[i].slot;
    if (!is_listed[slot]) mapping->decides[mapping->deciding++] = slot;
    is_listed[slot] = true;
  }
}

static int check_text(const char *what, const char *text, size_t length, char **message) {
  if (length > TR_MAX_MAPPING_BYTES) return tr_error(message, SQLITE_ERROR, "%s: larger than 64 KiB", what);
  if (!tr_utf8_is_valid(text, length)) return tr_error(message, SQLITE_ERROR, "%s: not valid UTF-8", what);
  if (strstr(text, "\\u0000")) return tr_error(message, SQLITE_ERROR, "%s: NUL has no place in a mapping", what);
  if (strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
    return tr_error(message, SQLITE_ERROR, "%s: byte 0: a byte order mark, which JSON must not have: remove it", what);
  const char *fault = tr_mapping_syntax_fault(text);
  if (fault == NULL) return SQLITE_OK;
  return tr_error(message, SQLITE_ERROR, "%s: byte %lld: not JSON", what, (long long)(fault - text));
}

/* Which of them are shown nowhere. */
static void list_constant_slots(TrMapping *mapping) {
  const TrChoice *shown[] = {&mapping->job,    &mapping->timestamp, &mapping->started, &mapping->name,
                             &mapping->output, &mapping->error,     &mapping->duration};
  for (unsigned i = 0; i < mapping->deciding; i++) mapping->keys.constants |= UINT64_C(1) << mapping->decides[i];
  for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
    for (unsigned k = 0; k < shown[i]->count; k++) mapping->keys.constants &= ~(UINT64_C(1) << shown[i]->slot[k]);
  }
}

int tr_mapping_parse(const char *what, const char *text, TrMapping **out, char **message) {
  size_t length = strlen(text);
  const char *end = text;
  MapReader reader = {.what = what, .message = message};
  *out = NULL;
  int code = check_text(what, text, length, message);
  if (code != SQLITE_OK) return code;
  TrMapping *mapping = sqlite3_malloc64(sizeof *mapping);
  if (mapping == NULL) return SQLITE_NOMEM;
  memset(mapping, 0, sizeof *mapping);
  mapping->texts = sqlite3_malloc64(2 * length + 1); /* a text of one byte takes three in JSON, and here two */
  mapping->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  reader.mapping = mapping;
  bool has_memory = mapping->texts && mapping->c_locale;
  cJSON *root = has_memory ? cJSON_ParseWithOpts(text, &end, 1) : NULL;
  if (!has_memory) {
    reader.code = SQLITE_NOMEM;
  } else if (root == NULL) {
    reader.code = tr_error(message, SQLITE_ERROR, "%s: byte %lld: not JSON", what, (long long)(end - text));
  } else {
    if (read_mapping(&reader, root)) list_deciding_slots(mapping);
    list_constant_slots(mapping);
  }
  cJSON_Delete(root);
  if (reader.code == SQLITE_OK)
    *out = mapping;
  else
    tr_mapping_free(mapping);
  return reader.code;
}

void tr_mapping_free(TrMapping *mapping) {
  if (mapping == NULL) return;
  sqlite3_free(mapping->prefix);
  sqlite3_free(mapping->suffix);
  sqlite3_free(mapping->texts);
  if (mapping->c_locale) freelocale(mapping->c_locale);
  sqlite3_free(mapping);
}
