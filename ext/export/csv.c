/*
** csv.c - a SQL value -> one cell of CSV, by RFC 4180.
**
** A cell is quoted only if it contains a quote, the delimiter or a line break, or if it is an empty text: "" is an
** empty text, and an empty cell is NULL. Texts and BLOBs keep every byte, NUL included; numbers are spelled as SQLite
** prints them.
**
** Most of an export's time would be spent here and in copying, so a text is searched as it is copied, sixteen bytes at
** a step, straight into the output's buffer, and copied again only if it turns out to need quotes.
*/
#include "export.h"

#include <string.h>

#define BLOCK 16
#define LARGE (TR_OUTPUT_BYTES / 4) /* longer texts go piece by piece */

/* Compilers use the processor's 16-byte vectors for it. Where it has none, gcc warns of how functions return one: all
** of these are inlined. */
#pragma GCC diagnostic ignored "-Wpsabi"
typedef unsigned char CsvBlock __attribute__((vector_size(BLOCK)));

static inline CsvBlock load_block(const char *bytes) {
  CsvBlock block;
  memcpy(&block, bytes, BLOCK);
  return block;
}

static inline CsvBlock each(char byte) {
  unsigned char b = (unsigned char)byte;
  return (CsvBlock){b, b, b, b, b, b, b, b, b, b, b, b, b, b, b, b};
}

static inline CsvBlock is_quote(CsvBlock block) {
  return (CsvBlock)(block == each('"'));
}

static inline CsvBlock is_special(CsvBlock block, const TrCsv *csv) {
  return (CsvBlock)(block == each('"')) | (CsvBlock)(block == load_block(csv->delimiters)) |
         (CsvBlock)(block == each('\n')) | (CsvBlock)(block == each('\r'));
}

static inline bool any(CsvBlock mask) {
  uint64_t half[2];
  memcpy(half, &mask, BLOCK);
  return (half[0] | half[1]) != 0;
}

static inline bool is_special_byte(char c, const TrCsv *csv) {
  return c == '"' || c == csv->delimiters[0] || c == '\n' || c == '\r';
}

/* Copies the text. False: it needs quotes. */
static inline bool copy_if_plain(char *out, const char *text, size_t length, const TrCsv *csv) {
  size_t i = 0;
  for (; i + BLOCK <= length; i += BLOCK) {
    CsvBlock block = load_block(text + i);
    memcpy(out + i, &block, BLOCK);
    if (any(is_special(block, csv))) return false;
  }
  if (i == length) return true;
  if (length >= BLOCK) { /* the rest: one more block, which overlaps the previous one */
    CsvBlock block = load_block(text + length - BLOCK);
    memcpy(out + length - BLOCK, &block, BLOCK);
    return !any(is_special(block, csv));
  }
  for (; i < length; i++) {
    if (is_special_byte(text[i], csv)) return false;
    out[i] = text[i];
  }
  return true;
}

/* Copies the text with its quotes doubled; returns where the copy ends. */
static char *copy_doubled(char *out, const char *text, size_t length) {
  size_t i = 0;
  while (i < length) {
    size_t step = length - i < BLOCK ? length - i : BLOCK;
    /* The last block may overlap bytes copied before: if it has no quote, they were copied unchanged. */
    size_t again = length >= BLOCK ? BLOCK - step : 0;
    if (step + again == BLOCK) {
      CsvBlock block = load_block(text + i - again);
      if (!any(is_quote(block))) {
        memcpy(out - again, &block, BLOCK);
        out += step;
        i += step;
        continue;
      }
    }
    for (size_t end = i + step; i < end; i++) {
      *out++ = text[i];
      if (text[i] == '"') *out++ = '"';
    }
  }
  return out;
}

/* --- one text ---------------------------------------------------------------------------------------------------- */

static bool needs_quotes(const char *text, size_t length, const TrCsv *csv) {
  size_t i = 0;
  for (; i + BLOCK <= length; i += BLOCK) {
    if (any(is_special(load_block(text + i), csv))) return true;
  }
  for (; i < length; i++) {
    if (is_special_byte(text[i], csv)) return true;
  }
  return false;
}

static __attribute__((noinline)) void append_large(TrOutput *output, const TrCsv *csv, const char *text, size_t length,
                                                   bool guarded) {
  bool quoted = needs_quotes(text, length, csv);
  if (quoted) tr_output_append(output, "\"", 1);
  if (guarded) tr_output_append(output, "'", 1);
  while (length > 0 && output->code == SQLITE_OK) {
    const char *quote = quoted ? memchr(text, '"', length) : NULL;
    size_t part = quote ? (size_t)(quote - text) + 1 : length;
    tr_output_append(output, text, part);
    if (quote) tr_output_append(output, "\"", 1);
    text += part;
    length -= part;
  }
  if (quoted) tr_output_append(output, "\"", 1);
}

static inline void append_text(TrOutput *output, const TrCsv *csv, const char *text, size_t length, bool guarded) {
  if (length > LARGE) {
    append_large(output, csv, text, length, guarded);
    return;
  }
  if (2 * length + 3 > TR_OUTPUT_BYTES - output->length) tr_output_flush(output);
  char *begin = output->buffer + output->length, *out = begin;
  bool is_empty = length == 0 && !guarded;
  if (guarded) *out++ = '\'';
  if (!is_empty && copy_if_plain(out, text, length, csv)) {
    output->length += length + guarded;
    return;
  }
  out = begin;
  *out++ = '"';
  if (guarded) *out++ = '\'';
  out = copy_doubled(out, text, length);
  *out++ = '"';
  output->length += (size_t)(out - begin);
}

/* How many bytes the first `count` characters take, counted as substr() counts them. */
static size_t characters(const char *text, size_t length, int64_t count) {
  size_t i = 0;
  while (i < length && count-- > 0) {
    unsigned char lead = (unsigned char)text[i++];
    while (lead >= 0xC0 && i < length && ((unsigned char)text[i] & 0xC0) == 0x80) i++;
  }
  return i;
}

static void append_integer(TrOutput *output, int64_t value) {
  if (value >= 0 && value < 10) { /* most are 0 or 1 */
    tr_output_byte(output, (char)('0' + value));
    return;
  }
  char digits[24], *end = digits + sizeof digits, *at = end;
  uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
  do *--at = (char)('0' + rest % 10);
  while (rest /= 10);
  if (value < 0) *--at = '-';
  tr_output_append(output, at, (size_t)(end - at));
}

/* --- the delimiter ----------------------------------------------------------------------------------------------- */

/* Numbers and NULL are written without quotes, so the delimiter must not be a character that occurs in numbers, nor one
** with another meaning in CSV. */
bool tr_csv_delimiter(TrCsv *csv, const char *text) {
  if (text[0] == '\0' || text[1] != '\0' || strchr("\t!#$%&()*,/:;<=>?@[\\]^_`{|}~", text[0]) == NULL) return false;
  memset(csv->delimiters, text[0], sizeof csv->delimiters);
  return true;
}

/* --- one value --------------------------------------------------------------------------------------------------- */

void tr_csv_value(TrOutput *output, const TrCsv *csv, sqlite3_value *value, int64_t max_chars) {
  int type = sqlite3_value_type(value);
  if (type == SQLITE_NULL) return;
  if (type == SQLITE_INTEGER && max_chars < 0) {
    append_integer(output, sqlite3_value_int64(value));
    return;
  }
  bool is_blob = type == SQLITE_BLOB;
  const char *text = is_blob ? sqlite3_value_blob(value) : (const char *)sqlite3_value_text(value);
  size_t length = (size_t)sqlite3_value_bytes(value);
  if (text == NULL && (!is_blob || length > 0)) {
    output->code = SQLITE_NOMEM;
    return;
  }
  bool guarded = csv->guard && (is_blob || type == SQLITE_TEXT) && tr_formula_is(text, length); /* -5 is a number */
  if (max_chars >= 0 && is_blob && (int64_t)length > max_chars) length = (size_t)max_chars;
  if (max_chars >= 0 && !is_blob) length = characters(text, length, max_chars);
  append_text(output, csv, text, length, guarded);
}

void tr_csv_text(TrOutput *output, const TrCsv *csv, const char *text) {
  size_t length = strlen(text);
  append_text(output, csv, text, length, csv->guard && tr_formula_is(text, length));
}
