/*
** syntax.c - is a text JSON, strictly?
**
** cJSON also accepts a byte order mark, numbers such as 01 and line breaks within texts. SQLite does not; and the
** commands look into a mapping with SQLite's functions. So what is not strictly JSON is refused before both.
*/
#include "mapping.h"

#define MAX_DEPTH 64 /* no mapping is deeper than a few levels */

/* Each of these returns where the value ends, or NULL, with *fault where it is wrong. */
static const char *skip_value(const char *text, unsigned depth, const char **fault);

static const char *fail_at(const char *text, const char **fault) {
  *fault = text;
  return NULL;
}

static const char *skip_json_space(const char *text) {
  return text + strspn(text, " \t\r\n");
}

static const char *skip_digits(const char *text, const char **fault) {
  const char *end = text + strspn(text, "0123456789");
  return end > text ? end : fail_at(text, fault);
}

static const char *skip_number(const char *text, const char **fault) {
  text += *text == '-';
  const char *end = *text == '0' ? text + 1 : skip_digits(text, fault);
  if (end && *end == '.') end = skip_digits(end + 1, fault);
  if (end == NULL || (*end != 'e' && *end != 'E')) return end;
  end++;
  return skip_digits(end + (*end == '+' || *end == '-'), fault);
}

static const char *skip_escape(const char *text, const char **fault) {
  if (*text != 'u') return *text && strchr("\"\\/bfnrt", *text) ? text + 1 : fail_at(text, fault);
  return strspn(text + 1, "0123456789abcdefABCDEF") >= 4 ? text + 5 : fail_at(text, fault);
}

static const char *skip_string(const char *text, const char **fault) {
  if (*text != '"') return fail_at(text, fault);
  text++;
  while (text && *text != '"') {
    if ((unsigned char)*text < ' ') return fail_at(text, fault);
    text = *text == '\\' ? skip_escape(text + 1, fault) : text + 1;
  }
  return text ? text + 1 : NULL;
}

static const char *skip_member(const char *text, unsigned depth, const char **fault) {
  text = skip_string(text, fault);
  if (text == NULL) return NULL;
  text = skip_json_space(text);
  return *text == ':' ? skip_value(skip_json_space(text + 1), depth, fault) : fail_at(text, fault);
}

/* An object or an array. */
static const char *skip_container(const char *text, unsigned depth, const char **fault) {
  bool is_object = *text == '{';
  char closing = is_object ? '}' : ']';
  if (depth == MAX_DEPTH) return fail_at(text, fault);
  text = skip_json_space(text + 1);
  if (*text == closing) return text + 1;
  for (;;) {
    text = is_object ? skip_member(text, depth + 1, fault) : skip_value(text, depth + 1, fault);
    if (text == NULL) return NULL;
    text = skip_json_space(text);
    if (*text == closing) return text + 1;
    if (*text != ',') return fail_at(text, fault);
    text = skip_json_space(text + 1);
  }
}

static const char *skip_value(const char *text, unsigned depth, const char **fault) {
  static const char *const words[] = {"true", "false", "null"};
  if (*text == '{' || *text == '[') return skip_container(text, depth, fault);
  if (*text == '"') return skip_string(text, fault);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strncmp(text, words[i], strlen(words[i])) == 0) return text + strlen(words[i]);
  }
  return skip_number(text, fault);
}

const char *tr_mapping_syntax_fault(const char *text) {
  const char *fault = NULL, *end = skip_value(skip_json_space(text), 0, &fault);
  if (end == NULL) return fault;
  end = skip_json_space(end);
  return *end ? end : NULL;
}
