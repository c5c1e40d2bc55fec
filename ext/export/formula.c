/*
** formula.c - would a spreadsheet read this cell as a formula?
**
** It does if the cell begins with = + - or @. Other characters before it do not help: some programs remove white space
** or invisible characters, or read the wide forms of these characters (U+FF1D and others) as the plain ones. So we skip
** all such characters first. A tab or a line break at the very beginning also counts as a formula, since programs that
** split at them begin a new cell there.
**
** The answer holds for readers that know the file's delimiter and quotes, not for those that split at something else.
*/
#include "export.h"

#include <string.h>

typedef struct Range {
  uint32_t first, last;
} Range;

/* White space, control characters, quotes, and invisible characters; ascending. */
static const Range passed_over[] = {
    {0x00, 0x20},       {0x22, 0x22},       {0x27, 0x27},       {0x60, 0x60},     {0x7F, 0xA0},     {0xAB, 0xAB},
    {0xAD, 0xAD},       {0xB4, 0xB4},       {0xBB, 0xBB},       {0x034F, 0x034F}, {0x061C, 0x061C}, {0x115F, 0x1160},
    {0x1680, 0x1680},   {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x2000, 0x200F}, {0x2018, 0x201F}, {0x2028, 0x202F},
    {0x2039, 0x203A},   {0x205F, 0x206F},   {0x3000, 0x3000},   {0x3164, 0x3164}, {0xD800, 0xDFFF}, {0xFE00, 0xFE0F},
    {0xFEFF, 0xFEFF},   {0xFF02, 0xFF02},   {0xFF07, 0xFF07},   {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFD}, {0x13430, 0x1343F},
    {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

/* = + - @, and their compatibility forms in Unicode; ascending. */
static const Range openers[] = {
    {'+', '+'},       {'-', '-'},       {'=', '='},       {'@', '@'},       {0x207A, 0x207C},
    {0x208A, 0x208C}, {0x2A75, 0x2A76}, {0xFB29, 0xFB29}, {0xFE62, 0xFE63}, {0xFE66, 0xFE66},
    {0xFE6B, 0xFE6B}, {0xFF0B, 0xFF0B}, {0xFF0D, 0xFF0D}, {0xFF1D, 0xFF1D}, {0xFF20, 0xFF20},
};

#define IS_IN(point, ranges) is_in(point, ranges, sizeof(ranges) / sizeof *(ranges))

static bool is_in(uint32_t point, const Range *ranges, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (point <= ranges[i].last) return point >= ranges[i].first;
  }
  return false;
}

/* The character that begins there, and its bytes in *taken. An invalid byte (a BLOB may hold any) counts as a control
** character: we cannot know what a reader makes of it. */
static uint32_t character_at(const char *text, size_t length, size_t *taken) {
  const unsigned char *bytes = (const unsigned char *)text;
  size_t size = bytes[0] < 0x80 ? 1 : bytes[0] < 0xC2 ? 0 : bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;
  *taken = 1;
  if (size == 1) return bytes[0];
  if (size == 0 || bytes[0] > 0xF4 || size > length) return 0;
  uint32_t point = bytes[0] & (0x7Fu >> size);
  for (size_t i = 1; i < size; i++) {
    if ((bytes[i] & 0xC0) != 0x80) return 0;
    point = point << 6 | (bytes[i] & 0x3Fu);
  }
  *taken = size;
  return point;
}

bool tr_formula_is(const char *text, size_t length) {
  if (length > 0 && memchr("\t\r\n", text[0], 4) != NULL) return true; /* the fourth is the NUL */
  for (size_t i = 0, taken; i < length; i += taken) {
    uint32_t point = character_at(text + i, length - i, &taken);
    if (IS_IN(point, openers)) return true;
    if (!IS_IN(point, passed_over)) return false;
  }
  return false;
}
