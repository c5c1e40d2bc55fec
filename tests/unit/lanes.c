/*
** lanes.c - the lanes agree: wherever a fast lane says "a record", the slow lane says so too, with the same spans.
**
** Without arguments: over tests/data and MUTANTS lines mutated from it and from the seeds below, the same ones in every
** run. With arguments: over the .jsonl files of these directories (the generated lines of tests/differential). With
** --names: which fast lanes this processor can run, the best first.
**
** Each line stands at the end of a heap block of its very size and TR_PADDING, so that a sanitizer sees any overread;
** behind it comes what can come behind a line in the reader's buffer: zeros, or a newline and another line. And each is
** checked with no layout, with the layout of the line before, and with that of any line: the answer may not depend on
** it.
*/
#include "tr.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "random.h"

#define MUTANTS 320000
#define LONGEST_SEED 1500
#define ROOM 4096
#define LAYOUTS 64
#define MOST_LANES 4

typedef struct Lane {
  const char *name;
  TrFastLane walk;
  TrLayout previous;       /* as the lane left it on the line before */
  TrLayout known[LAYOUTS]; /* as it left it on lines long ago */
  unsigned long accepted;
} Lane;

static Lane lanes[MOST_LANES];
static unsigned lane_count;
static unsigned long checked, disagreements;

typedef struct Text {
  unsigned char *bytes; /* owned */
  size_t length;
} Text;

static Text *seeds;
static size_t seed_count;

static const char *const inline_seeds[] = {
    "{}",
    " { } ",
    "{\"timestamp\": \"2026-02-15T01:44:15.821425Z\", \"job_id\": \"j\", \"job_name\": \"J\", \"success\": true, "
    "\"output\": \"line\\n\\u00e9\\ud83d\\ude00\\t\\\\\\\"\", \"error\": \"\"}",
    "{\"success\":false,\"error\":null,\"output\":-12.5e+3,\"job_name\":0,\"timestamp\":12345678901234567890}",
    "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10,\"k\":11,\"l\":12,\"m\":13,"
    "\"output\":\"fourteenth\"}",
    "{\"a key that is longer than what a layout holds\": 1, \"output\": \"x\", \"output\": \"y\", \"error\": \"z\"}",
    "{\"o\\u0075tput\": \"escaped key\", \"output \": 1, \"Output\": 2, \"\": 3, \"error\": true}",
    "{\"output\": [1, {\"a\": \"b\\\\\"}, []], \"error\": {\"output\": {}}, \"success\": NaN, \"job_name\": -Infinity}",
    "\t{ \"success\" : true , \"output\" : \"\xE2\x82\xAC\xF0\x9F\x98\x80\xC3\xA9\" ,\t\"error\" : \"\x7F\" }\r",
    "{\"output\": \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\\u20ac0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\\\\\", \"success\": false}",
};

static const char *const words[] = {
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    " ",
    "\t",
    "\r",
    "\v",
    "\x01",
    "\x7F",
    "\x80",
    "\xC3\xA9",
    "\xE2\x82\xAC",
    "\xED\xA0\x80",
    "\xF0\x9F\x98\x80",
    "\xF4\x90\x80\x80",
    "\xC0\x80",
    "\xFF",
    "\\\"",
    "\\\\",
    "\\n",
    "\\/",
    "\\x",
    "\\u0000",
    "\\ud83d",
    "\\ude00",
    "\\u12",
    "true",
    "false",
    "null",
    "NaN",
    "Infinity",
    "-",
    "0",
    "1",
    "01",
    "1.",
    "e5",
    "E+",
    ".5",
    "9223372036854775808",
    "\"output\"",
    "\"success\": false, ",
    "\"error\":",
    "\"o\\u0075tput\":",
    ", \"a\": 1",
    "{\"a\": [",
    "\xEF\xBB\xBF",
    "                                ",
};

/* --- one line ----------------------------------------------------------------------------------------------------- */

static bool same_span(const TrSpan *a, const TrSpan *b) {
  if (a->kind != b->kind) return false;
  return a->kind == TR_ABSENT || (a->start == b->start && a->length == b->length && a->escaped == b->escaped);
}

static bool same_record(const TrRecord *a, const TrRecord *b) {
  for (int i = 0; i < TR_FIELD_COUNT; i++) {
    if (!same_span(&a->field[i], &b->field[i])) return false;
  }
  return true;
}

static void disagree(const char *what, const Lane *lane, const unsigned char *text, size_t length) {
  if (++disagreements > 10) return;
  printf("# %s lane: %s:\n# ", lane ? lane->name : "slow", what);
  for (size_t i = 0; i < length && i < 2000; i++) {
    printf(text[i] >= 0x20 && text[i] < 0x7F && text[i] != '\\' ? "%c" : "\\x%02x", text[i]);
  }
  printf("\n");
}

/* The slow lane needs no padding: the line is alone in a block of its size. Also decodes what it found. */
static TrReason parse_slowly(const unsigned char *text, size_t length, TrRecord *record) {
  unsigned char *alone = malloc(length ? length : 1);
  memcpy(alone, text, length);
  memset(record, 0xA5, sizeof *record);
  TrReason reason = tr_slow_lane(alone, length, record);
  for (int i = 0; i < TR_FIELD_COUNT && reason == TR_OK; i++) {
    const TrSpan *span = &record->field[i];
    if (span->kind == TR_ABSENT) continue;
    if ((size_t)span->start + span->length > length) disagree("span beyond the line", NULL, text, length);
    if (span->kind != TR_STRING) continue;
    unsigned char *decoded = malloc(span->length ? span->length : 1);
    size_t got = tr_decode_string(alone + span->start, span->length, decoded);
    if (got > span->length || !tr_utf8_is_valid(decoded, got)) disagree("bad decoding", NULL, text, length);
    if (!span->escaped && (got != span->length || memcmp(decoded, alone + span->start, got) != 0))
      disagree("a string without escapes changed", NULL, text, length);
    free(decoded);
  }
  free(alone);
  return reason;
}

static void expect_same(Lane *lane, const TrLayout *before, const unsigned char *text, size_t length, bool fast,
                        const TrRecord *expected) {
  TrLayout layout = *before;
  TrRecord record;
  memset(&record, 0xA5, sizeof record);
  bool accepts = lane->walk(text, &layout, &record) == text + length;
  if (accepts != fast) disagree("the answer depends on the layout or the processor", lane, text, length);
  if (accepts && !same_record(&record, expected)) disagree("other spans than the slow lane's", lane, text, length);
}

/* Every lane, with every layout, over a line in its padded block. */
static void check_fast(const unsigned char *text, size_t length, TrReason reason, const TrRecord *expected) {
  TrLayout none = {0};
  TrRecord record;
  TrLayout fresh = {0};
  bool fast = lanes[0].walk(text, &fresh, &record) == text + length;
  if (fast && reason != TR_OK) disagree("takes what the slow lane refuses", &lanes[0], text, length);
  for (unsigned i = 0; i < lane_count; i++) {
    Lane *lane = &lanes[i];
    expect_same(lane, &none, text, length, fast, expected);
    expect_same(lane, &lane->previous, text, length, fast, expected);
    expect_same(lane, &lane->known[random_below(LAYOUTS)], text, length, fast, expected);
    lane->walk(text, &lane->previous, &record);
    lane->previous.varies = false; /* otherwise the lane would never again expect a name to repeat */
    lane->known[random_below(LAYOUTS)] = lane->previous;
    lane->accepted += fast;
  }
}

/* `behind` is what follows the line's newline in the buffer. */
static void check_line(const unsigned char *text, size_t length, const unsigned char *behind, size_t behind_length) {
  TrRecord expected;
  TrReason reason = parse_slowly(text, length, &expected);
  unsigned char *block = malloc(length + TR_PADDING);
  memcpy(block, text, length);
  memset(block + length, 0, TR_PADDING);
  check_fast(block, length, reason, &expected);
  block[length] = '\n';
  memcpy(block + length + 1, behind, behind_length < TR_PADDING - 1 ? behind_length : TR_PADDING - 1);
  check_fast(block, length, reason, &expected);
  free(block);
  checked++;
}

/* --- many lines --------------------------------------------------------------------------------------------------- */

static void check_file(const char *path, bool keep) {
  FILE *file = fopen(path, "rb");
  char *line = NULL;
  size_t room = 0;
  ssize_t length;
  CHECK(file != NULL);
  while (file && (length = getline(&line, &room, file)) > 0) {
    if (line[length - 1] == '\n') length--;
    check_line((unsigned char *)line, (size_t)length, (unsigned char *)line, (size_t)length);
    if (!keep || length > LONGEST_SEED || length == 0) continue;
    Text seed = {malloc((size_t)length), (size_t)length};
    memcpy(seed.bytes, line, seed.length);
    seeds = realloc(seeds, (seed_count + 1) * sizeof *seeds);
    seeds[seed_count++] = seed;
  }
  free(line);
  if (file) fclose(file);
}

static int compare_entries(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_job_file(const struct dirent *entry) {
  return tr_name_is_job_file(entry->d_name, strlen(entry->d_name));
}

/* In alphabetical order, so that every run sees the same sequence. */
static void check_directory(const char *directory, bool keep) {
  struct dirent **entries = NULL;
  int count = scandir(directory, &entries, is_job_file, compare_entries);
  CHECK(count > 0);
  for (int i = 0; i < count; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
    check_file(path, keep);
    free(entries[i]);
  }
  free(entries);
}

static void both_lanes_agree_on_the_recorded_lines(void) {
  disagreements = 0;
  check_directory("tests/data/scheduler-state/results", true);
  unsigned long lines = checked;
  for (unsigned i = 0; i < lane_count; i++)
    CHECK(lanes[i].accepted == 2 * lines); /* the recorded state has only ordinary lines */
  check_directory("tests/data/odd-lines", true);
  for (size_t i = 0; i < sizeof inline_seeds / sizeof *inline_seeds; i++) {
    Text seed = {(unsigned char *)strdup(inline_seeds[i]), strlen(inline_seeds[i])};
    check_line(seed.bytes, seed.length, seed.bytes, seed.length);
    seeds = realloc(seeds, (seed_count + 1) * sizeof *seeds);
    seeds[seed_count++] = seed;
  }
  CHECK(disagreements == 0);
}

static const char filler[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,.-0123456789abcdefghijklmnopqr"
    "stuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,.-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
    "WXYZ,.-0123456789abcdefghijklmnopqrstuvwxyz";

/* Lines of one file: a name that is the same in all of them is only compared with that of the line before. */
static void a_name_that_repeats_is_found_in_each_line(void) {
  static const char *const names[] = {"Nightly",     "Nightly",     "Nightly",   "Weekly",    "Nightlx", "",       "",
                                      "caf\xC3\xA9", "caf\xC3\xA9", "a\\u0020b", "a\\u0020b", "Nightly", "Nightly"};
  disagreements = 0;
  for (int id = 1; id <= 140; id += 1) { /* bytes, so that the text around the name is short, and too long to be kept */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
      char line[600];
      int total =
          snprintf(line, sizeof line,
                   "{\"timestamp\": \"2026-01-01T00:00:00Z\", \"job_id\": \"%.*s\", \"job_name\": \"%s\", \"note\": "
                   "\"same\", \"success\": true}",
                   id, filler, names[i]);
      check_line((unsigned char *)line, (size_t)total, (const unsigned char *)"{", 1);
    }
  }
  for (unsigned i = 0; i < lane_count; i++) {
    TrLayout layout = {0};
    TrRecord record;
    static const unsigned char line[200] = "{\"job_id\": \"a\", \"job_name\": \"A\", \"success\": true}";
    CHECK(lanes[i].walk(line, &layout, &record) != NULL && layout.repeats && layout.count == 1);
    CHECK(lanes[i].walk(line, &layout, &record) != NULL && layout.lines == 1);
    CHECK(record.field[TR_JOB_NAME].kind == TR_STRING && record.field[TR_JOB_NAME].length == 1);
    CHECK(line[record.field[TR_JOB_NAME].start] == 'A');
  }
  CHECK(disagreements == 0);
}

static const struct {
  const char *tail;
  bool record;
} straddling[] = {
    {"\", \"error\": 1}", true},
    {"\\\", \"error\": 1}", false},
    {"\\\\\", \"error\": 1}", true},
    {"\\n\", \"error\": 1}", true},
    {"\\\"\", \"error\": 1}", true},
    {"\\u005c\", \"error\": 1}", true},
    {"\\u00\", \"error\": \"22\"}", false},
    {"\\u002G\"}", false},
    {"\\u123", false},
    {"\xC3\xA9\"}", true},
    {"\xE2\x82\xAC\"}", true},
    {"\xF0\x9F\x98\x80\"}", true},
    {"\xF0\x9F\x98\"}", false},
    {"\xC3\"}", false},
    {"\x80\"}", false},
    {"\xA0\"}", false},
    {"\xDC\"}", false},
    {"\xED\xA0\x80\"}", false},
    {"\x1F\"}", false},
    {"\x7F\"}", true},
    {"\\", false},
    {"", false},
    {"\"", false},
    {"\"}}", false},
};

/* What begins at every distance from a string's start, and so straddles the ends of the blocks that a lane loads. The
** lines are flat, with plain keys: the fast lanes have an answer to each that is a record. */
static void both_lanes_agree_wherever_an_escape_or_a_character_straddles_two_blocks(void) {
  disagreements = 0;
  for (size_t i = 0; i < sizeof straddling / sizeof *straddling; i++) {
    for (int length = 0; length < 200; length++) {
      char line[300];
      int total = snprintf(line, sizeof line, "{\"output\": \"%.*s%s", length, filler, straddling[i].tail);
      unsigned long before = lanes[0].accepted;
      check_line((unsigned char *)line, (size_t)total, (const unsigned char *)"\"}", 2);
      if (lanes[0].accepted - before != (straddling[i].record ? 2 : 0)) {
        disagree("is not the answer that was expected", &lanes[0], (unsigned char *)line, (size_t)total);
      }
    }
  }
  CHECK(disagreements == 0);
}

/* Runs of mutants of one seed, so that the layout of the line before fits, or nearly. */
static void both_lanes_agree_on_mutated_lines(void) {
  unsigned char line[ROOM];
  disagreements = checked = 0;
  for (unsigned i = 0; i < lane_count; i++) lanes[i].accepted = 0;
  const Text *seed = &seeds[0], *other = &seeds[0];
  for (int i = 0; i < MUTANTS; i++) {
    if (random_below(12) == 0) seed = &seeds[random_below(seed_count)];
    if (random_below(2) == 0) other = &seeds[random_below(seed_count)];
    size_t length = seed->length;
    memcpy(line, seed->bytes, length);
    for (size_t changes = random_below(4); changes > 0; changes--) {
      length = random_mutation(line, length, LONGEST_SEED + 200, words, sizeof words / sizeof *words);
    }
    if (random_below(30) == 0) { /* glued */
      memcpy(line + length, other->bytes, other->length);
      length += other->length;
    }
    for (size_t k = 0; k < length; k++) { /* the reader gives no line with a newline in it */
      if (line[k] == '\n') line[k] = ' ';
    }
    check_line(line, length, other->bytes, other->length);
  }
  CHECK(disagreements == 0);
  CHECK(checked == MUTANTS);
  for (unsigned i = 0; i < lane_count;
       i++) { /* each lane gave both answers often enough for the comparison to mean something */
    CHECK(lanes[i].accepted > MUTANTS / 2);
    CHECK(lanes[i].accepted < 2 * MUTANTS - MUTANTS / 2);
  }
}

static char **directories;

static void both_lanes_agree_on_the_lines_of_the_given_directories(void) {
  disagreements = 0;
  for (char **directory = directories; *directory; directory++) check_directory(*directory, false);
  printf("# %lu lines\n", checked);
  CHECK(checked > 0);
  CHECK(disagreements == 0);
}

int main(int argc, char **argv) {
  for (const TrLane *lane; (lane = tr_fast_lane(lane_count)) != NULL; lane_count++) {
    CHECK(lane_count < MOST_LANES);
    lanes[lane_count] = (Lane){.name = lane->name, .walk = lane->native};
  }
  if (argc == 2 && strcmp(argv[1], "--names") == 0) {
    for (unsigned i = 0; i < lane_count; i++) puts(lanes[i].name);
    return 0;
  }
  directories = argv + 1;
  if (argc > 1) {
    RUN(both_lanes_agree_on_the_lines_of_the_given_directories);
  } else {
    RUN(both_lanes_agree_on_the_recorded_lines);
    RUN(both_lanes_agree_wherever_an_escape_or_a_character_straddles_two_blocks);
    RUN(both_lanes_agree_on_mutated_lines);
    RUN(a_name_that_repeats_is_found_in_each_line);
  }
  for (size_t i = 0; i < seed_count; i++) free(seeds[i].bytes);
  free(seeds);
  return check_result();
}
