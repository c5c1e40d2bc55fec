/*
** mapping.c - mappings and the lanes that read by them: what the grammar refuses, and where; and that a fast lane takes
** no line that the slow lane does not take, and with the same spans, whatever the line before was like.
*/
#include "tr.h"

#include <stdlib.h>

#include "check.h"
#include "random.h"

static const char *const lines[] = {
    "{\"ts\":1770000000123,\"action\":\"finished\",\"status\":\"ok\",\"summary\":\"done\",\"usage\":{\"in\":[1,{\"a\":["
    "]}]}}",
    "{\"ts\":1770000000124,\"action\":\"finished\",\"status\":\"error\",\"error\":{\"code\":1,\"why\":[null]}}",
    "{ \"ts\" : \"2026-02-10T09:00:04+0100\" , \"payload\" : { \"workflowId\" : 9, \"x\": {} }, \"eventName\": \"n\" }",
    "{\"payload\":{\"workflowId\":\"a\\u0062\"},\"payload\":{\"workflowName\":\"b\"},\"ts\":1.5}",
    "{\"payload\":[{\"workflowId\":1}],\"ts\":null,\"t\\u0073\":5}",
    "{\"payload\":{\"payload\":{\"workflowId\":1}},\"deep\":[[[[[[]]]]]],\"ts\":-0.0e1}",
    "{\"payload\":\"x\",\"status\":true,\"durationMs\":NaN}",
    "{}",
    "{\"a\":{},\"b\":[],\"ts\":{\"ts\":[]},\"ts\":\"\"}",
    "{\"finishedAt\":\"2026-02-10T09:00:04Z\",\"status\":\"failed\",\"errors\":[\"a\",{\"b\":1}],\"duration_seconds\":"
    "1.25}",
};
#define LINE_COUNT (sizeof lines / sizeof *lines)

static const char own[] = "{\"timestamp\":[\"payload\",\"ts\"],\"output\":\"payload\",\"error\":[\"deep\",\"a\"],"
                          "\"success\":[{\"status\":[1,\"ok\",null]}]}";

static TrMapping *parse(const char *json) {
  TrMapping *mapping = NULL;
  char *message = NULL;
  CHECK(tr_mapping_parse("mapping", json, &mapping, &message) == SQLITE_OK);
  if (message) printf("# %s\n", message);
  sqlite3_free(message);
  return mapping;
}

static bool same_span(const TrSpan *a, const TrSpan *b) {
  if (a->kind != b->kind) return false;
  if (a->kind == TR_ABSENT) return true;
  return a->start == b->start && a->length == b->length && (a->kind != TR_STRING || a->escaped == b->escaped);
}

typedef struct Counts {
  unsigned taken, records;
} Counts;

static void compare_lanes(TrMappedLane lane, TrMappedLayouts *layouts, const TrKeys *keys, const unsigned char *line,
                          size_t length, Counts *counts) {
  TrSpan fast[TR_MAX_KEYS + 1], slow[TR_MAX_KEYS + 1];
  bool takes = lane(line, layouts, keys, fast, NULL) == line + length;
  bool is_record = tr_slow_mapped_lane(line, length, keys, slow) == TR_OK;
  counts->taken += takes;
  counts->records += is_record;
  CHECK(!takes || is_record);
  for (unsigned i = 0; takes && i < keys->count; i++) CHECK(same_span(&fast[i], &slow[i]));
}

/* A line, changed in some places. */
static size_t changed(unsigned char *line, const char *from) {
  static const char bytes[] = "{}[]\",:\\ 0e.ntu\xC3\xA9";
  size_t length = strlen(from);
  memcpy(line, from, length);
  for (size_t times = random_below(3); times > 0; times--)
    line[random_below(length)] = (unsigned char)bytes[random_below(sizeof bytes - 1)];
  memset(line + length, 0, TR_PADDING);
  return length;
}

static void compare_by(const char *json, TrMappedLane lane, Counts *counts) {
  static TrMappedLayouts layouts;
  unsigned char line[512 + TR_PADDING];
  TrMapping *mapping = parse(json);
  if (mapping == NULL) return;
  memset(&layouts, 0, sizeof layouts);
  for (int round = 0; round < 4000; round++) {
    size_t length = changed(line, lines[random_below(LINE_COUNT)]);
    compare_lanes(lane, &layouts, &mapping->keys, line, length, counts);
  }
  tr_mapping_free(mapping);
}

static void a_fast_lane_by_a_mapping_says_what_the_slow_lane_says(void) {
  Counts counts = {0};
  const TrLane *lane;
  unsigned rank = 0;
  for (; (lane = tr_fast_lane(rank)) != NULL; rank++) {
    for (int which = 0; tr_mapping_names[which]; which++)
      compare_by(tr_mapping_builtin(tr_mapping_names[which]), lane->mapped, &counts);
    compare_by(own, lane->mapped, &counts);
  }
  CHECK(counts.taken > 5000 * rank &&
        counts.records > counts.taken); /* it takes most of them, and not NaN or escaped keys */
}

/* What a parser makes of a line that ends in a newline. */
static TrParsed parsed_by(TrParser *parser, unsigned char *line, size_t length) {
  TrLines reader = {.fd = -1, .buffer = line, .length = length + 1, .max_line = SIZE_MAX / 2};
  TrParsed parsed;
  reader.end = reader.seen_size = (int64_t)length + 1;
  line[length] = '\n';
  CHECK(tr_parse_next(parser, &reader, &parsed) == SQLITE_ROW && parsed.line.length == length);
  return parsed;
}

static bool same_record(const TrParsed *a, const TrParsed *b) {
  if (a->reason != b->reason || a->reason != TR_OK) return a->reason == b->reason;
  for (int i = 0; i < TR_FIELD_COUNT; i++) {
    const TrSpan *x = &a->record.field[i], *y = &b->record.field[i];
    bool has_text = i != TR_SUCCESS;
    if (has_text ? !same_span(x, y) : x->kind != y->kind) return false;
  }
  return same_span(&a->record.job, &b->record.job) && same_span(&a->record.started, &b->record.started) &&
         same_span(&a->record.duration, &b->record.duration) &&
         (a->record.duration.kind == TR_ABSENT || a->record.duration_in_seconds == b->record.duration_in_seconds);
}

static const char *const similar[] = {
    /* %s: a status, %u: a number */
    "{\"ts\":17700000%05u,\"action\":\"finished\",\"status\":%s,\"summary\":\"done\",\"error\":null,\"durationMs\":%u,"
    "\"usage\":{\"in\":7,\"out\":[1,{\"a\":null}]},\"id\":\"%u\",\"delivered\":true}",
    "{\"finishedAt\":\"2026-02-10T09:00:04Z\",\"ts\":%u,\"status\":%s,\"errors\":%u,\"duration_seconds\":1.25,\"x\":%"
    "u}",
    "{\"ts\":%u,\"payload\":{\"workflowId\":\"w\",\"kind\":%s,\"errorMessage\":%u},\"job_status\":\"done\",\"class\":"
    "\"c%u\","
    "\"time\":\"2026-02-10\",\"eventName\":\"n8n.workflow.success\"}",
    "{\"timestamp\":%u,\"success\":%s,\"output\":%u,\"output\":null,\"error\":%u,\"status\":\"ok\",\"status\":"
    "\"error\"}"};

static size_t similar_line(unsigned char *line, unsigned form) {
  static const char *const statuses[] = {"\"ok\"", "\"ok\"", "\"ok\"", "\"error\"",   "null",
                                         "true",   "1",      "[]",     "\"o\\u006b\""};
  const char *status = statuses[random_below(sizeof statuses / sizeof *statuses)];
  unsigned a = (unsigned)random_below(90000), b = (unsigned)random_below(3), c = (unsigned)random_below(90000);
  int length = form == 0   ? snprintf((char *)line, 500, similar[0], a, status, b, c)
               : form == 1 ? snprintf((char *)line, 500, similar[1], a, status, b, c)
               : form == 2 ? snprintf((char *)line, 500, similar[2], a, status, b, c)
                           : snprintf((char *)line, 500, similar[3], a, status, b, c);
  if (random_below(20) == 0) line[random_below((size_t)length)] = "\"0 {},n"[random_below(7)];
  memset(line + length + 1, 0, TR_PADDING);
  return (size_t)length;
}

static unsigned compare_with_fresh(const TrMapping *mapping, TrMappedLane lane) {
  static TrMappedParser remembers, fresh;
  TrParser parser, new_parser;
  unsigned direct = 0;
  tr_parser_init(&parser);
  tr_parser_map(&parser, &remembers, mapping);
  remembers.fast = lane;
  for (unsigned round = 0; round < 4000; round++) {
    unsigned char line[512 + TR_PADDING];
    size_t length = similar_line(line, random_below(10) ? round / 500 % 4 : (unsigned)random_below(4));
    tr_parser_init(&new_parser);
    tr_parser_map(&new_parser, &fresh, mapping);
    TrParsed one = parsed_by(&parser, line, length), other = parsed_by(&new_parser, line, length);
    bool is_same = same_record(&one, &other);
    CHECK(is_same);
    if (!is_same) printf("# %.*s\n", (int)length, line);
    direct += remembers.layouts.is_direct;
  }
  return direct;
}

/* Lines are alike, but not the same: what is remembered of earlier ones must not show in a record. */
static void a_record_is_the_same_whatever_lines_were_before(void) {
  static const char decides_and_shows[] =
      "{\"timestamp\":{\"any\":[\"ts\",\"timestamp\"]},\"started\":\"ts\",\"error\":\"status\","
      "\"duration\":{\"key\":\"durationMs\",\"unit\":\"s\"},\"success\":[{\"status\":[\"ok\",1]}]}";
  const char *const mappings[] = {tr_mapping_builtin("openclaw"),
                                  tr_mapping_builtin("runs"),
                                  tr_mapping_builtin("gitlab"),
                                  tr_mapping_builtin("n8n"),
                                  tr_mapping_builtin("native"),
                                  own,
                                  decides_and_shows};
  unsigned direct = 0;
  const TrLane *lane;
  for (size_t which = 0; which < sizeof mappings / sizeof *mappings; which++) {
    TrMapping *mapping = parse(mappings[which]);
    for (unsigned rank = 0; (lane = tr_fast_lane(rank)) != NULL; rank++)
      direct += compare_with_fresh(mapping, lane->mapped);
    tr_mapping_free(mapping);
  }
  CHECK(direct > 4000);
}

static void the_last_of_two_members_counts_with_all_that_is_in_it(void) {
  TrMapping *mapping = parse(tr_mapping_builtin("n8n"));
  TrSpan slot[TR_MAX_KEYS + 1];
  const char *line = lines[3];
  CHECK(tr_slow_mapped_lane((const unsigned char *)line, strlen(line), &mapping->keys, slot) == TR_OK);
  CHECK(slot[mapping->job.slot[0]].kind == TR_ABSENT && slot[mapping->name.slot[0]].kind == TR_STRING);
  tr_mapping_free(mapping);
}

static const struct {
  const char *json, *message;
} mistakes[] = {
    {"{\"timestamp\":\"t\",\"succes\":[]}", "mapping: succes: unknown key; the keys here are files, job,"},
    {"{\"timestamp\":\"t\",\"files, job\":1,\"success\":\"s\"}", "mapping: files, job: unknown key"},
    {"{\"timestamp\":\"t\",\"timestamp\":\"t\",\"success\":\"s\"}", "mapping: timestamp: is there twice"},
    {"{\"timestamp\":\"t\",\"success\":[{\"a\":[1]},{\"b\":\"x\"}]}",
     "mapping: success[1].b: must be a list of values"},
    {"{\"timestamp\":\"t\",\"success\":[{\"a\":[1,[2]]}]}", "mapping: success[0].a[1]: must be a text, a number,"},
    {"{\"timestamp\":\"t\",\"success\":[{\"a\":{\"b\":{\"c\":[1]}}}]}", "mapping: success[0].a.b: must be a list of"},
    {"{\"timestamp\":\"t\",\"success\":[{}]}", "mapping: success[0]: must have a key"},
    {"{\"timestamp\":\"t\",\"success\":[]}", "mapping: success: must be a list, such as"},
    {"{\"timestamp\":\"t\"}", "mapping: success and failure are missing"},
    {"{\"timestamp\":\"t\",\"success\":\"s\",\"failure\":[{\"a\":[1]}]}", "mapping: success: if it is a key,"},
    {"{\"success\":\"s\"}", "mapping: timestamp: is missing"},
    {"{\"timestamp\":{\"any\":[]},\"success\":\"s\"}", "mapping: timestamp.any: must be a list of keys"},
    {"{\"timestamp\":{\"any\":[\"a\",5]},\"success\":\"s\"}", "mapping: timestamp.any[1]: must be a key"},
    {"{\"timestamp\":{\"any\":[\"a\"],\"x\":1},\"success\":\"s\"}", "mapping: timestamp.x: unknown key"},
    {"{\"timestamp\":[\"a\",\"b\",\"c\"],\"success\":\"s\"}", "mapping: timestamp: an array of two keys"},
    {"{\"timestamp\":\"\",\"success\":\"s\"}", "mapping: timestamp: a key has 1 to 64 bytes"},
    {"{\"timestamp\":\"t\",\"success\":\"s\",\"duration\":{\"key\":\"d\",\"unit\":\"m\"}}",
     "mapping: duration.unit: must be"},
    {"{\"timestamp\":\"t\",\"success\":\"s\",\"duration\":{\"unit\":\"s\"}}", "mapping: duration.key: is missing"},
    {"{\"timestamp\":\"t\",\"success\":\"s\",\"files\":\"a*b*\"}", "mapping: files: only one *"},
    {"{\"timestamp\":\"t\",\"success\":\"s\",\"files\":\"a\"}", "mapping: files: needs a *"},
    {"{\"timestamp\":\"t\",\"success\":\"s\",\"files\":\"a/*\"}", "mapping: files: must be a name"},
    {"{\"timestamp\":\"t\",\"success\":\"s\",\"order\":\"name\"}", "mapping: order: is for files that jobs share"},
    {"{\"timestamp\":\"t\",\"success\":\"s\",\"job\":\"j\",\"order\":\"size\"}", "mapping: order: must be"},
    {"{\"timestamp\":\"t\",}", "mapping: byte 17: not JSON"},
    {"{\"timestamp\":\"t\\u0000\",\"success\":\"s\"}", "mapping: NUL"},
    {"\xEF\xBB\xBF{}", "mapping: byte 0: a byte order mark"},
    {"{\"timestamp\":\"t\",\"success\":[{\"s\":[01]}]}", "mapping: byte 35: not JSON"},
    {"[1.]", "mapping: byte 3: not JSON"},
    {"[1e]", "mapping: byte 3: not JSON"},
    {"[-]", "mapping: byte 2: not JSON"},
    {"[.5]", "mapping: byte 1: not JSON"},
    {"[+5]", "mapping: byte 1: not JSON"},
    {"[NaN]", "mapping: byte 1: not JSON"},
    {"[\"a\nb\"]", "mapping: byte 3: not JSON"},
    {"[\"\\x\"]", "mapping: byte 3: not JSON"},
    {"[\"\\u12\"]", "mapping: byte 3: not JSON"},
    {"[1,\v2]", "mapping: byte 3: not JSON"},
    {"{} x", "mapping: byte 3: not JSON"},
    {"{\"a\" 1}", "mapping: byte 5: not JSON"},
    {"[1", "mapping: byte 2: not JSON"},
    {"", "mapping: byte 0: not JSON"},
    {" [-0.5e+10, 0, -1E-5, 120, true, false, null, \"\\u00e9\\/\", {}, []] ", "mapping: must be an object"},
    {"[]", "mapping: must be an object"},
    {"\xFF", "mapping: not valid UTF-8"},
};

static void a_mistake_is_named_with_its_key_and_place(void) {
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    TrMapping *mapping = NULL;
    char *message = NULL;
    CHECK(tr_mapping_parse("mapping", mistakes[i].json, &mapping, &message) == SQLITE_ERROR && mapping == NULL);
    bool is_right = message && strncmp(message, mistakes[i].message, strlen(mistakes[i].message)) == 0;
    CHECK(is_right);
    if (!is_right) printf("# %s: %s\n", mistakes[i].json, message ? message : "no message");
    sqlite3_free(message);
  }
}

static void more_than_there_is_room_for_is_refused(void) {
  static const char *const repeated[] = {"{\"a%d\":[1]},", "{\"a\":[%d]},"};
  for (int form = 0; form < 2; form++) {
    sqlite3_str *json = sqlite3_str_new(NULL);
    sqlite3_str_appendall(json, "{\"timestamp\":\"t\",\"success\":[");
    for (int i = 0; i < 300; i++) sqlite3_str_appendf(json, repeated[form], i);
    sqlite3_str_appendall(json, "{\"z\":[1]}]}");
    char *text = sqlite3_str_finish(json), *message = NULL;
    TrMapping *mapping = NULL;
    CHECK(tr_mapping_parse("mapping", text, &mapping, &message) == SQLITE_ERROR && mapping == NULL);
    CHECK(message && strstr(message, "too many"));
    sqlite3_free(message);
    sqlite3_free(text);
  }
}

static const struct {
  const char *text;
  bool is_time;
  int64_t us;
} numbers[] = {
    {"1770000000", true, INT64_C(1770000000000000)},
    {"1770000000.5", true, INT64_C(1770000000500000)},
    {"1770000000.0000019", true, INT64_C(1770000000000001)},
    {"99999999999", true, INT64_C(99999999999000000)},
    {"100000000000", true, INT64_C(100000000000000)},
    {"99999999999999", true, INT64_C(99999999999999000)},
    {"100000000000000", true, INT64_C(100000000000000)},
    {"1770000000123.4567", true, INT64_C(1770000000123456)},
    {"1770000000123456.7", true, INT64_C(1770000000123456)},
    {"-1.25", true, -1250000},
    {"0", true, 0},
    {"007", true, 7000000},
    {"-62167219200000000", true, INT64_C(-62167219200000000)},
    {"-62167219200000001", false, 0},
    {"253402300799999999", true, INT64_C(253402300799999999)},
    {"253402300800000000", false, 0},
    {"1000000000000000000000", false, 0},
    {"", false, 0},
    {"-", false, 0},
    {".5", false, 0},
    {"5.", false, 0},
    {"1e9", false, 0},
    {"+5", false, 0},
    {" 5", false, 0},
    {"5x", false, 0},
    {"5.x", false, 0},
};

static void a_number_is_a_time_by_its_size(void) {
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    int64_t us = 0;
    bool is_time = tr_epoch_parse(numbers[i].text, strlen(numbers[i].text), &us);
    CHECK(is_time == numbers[i].is_time && (!is_time || us == numbers[i].us));
    if (is_time != numbers[i].is_time || (is_time && us != numbers[i].us))
      printf("# %s: %lld\n", numbers[i].text, (long long)us);
  }
}

int main(void) {
  RUN(a_fast_lane_by_a_mapping_says_what_the_slow_lane_says);
  RUN(a_record_is_the_same_whatever_lines_were_before);
  RUN(the_last_of_two_members_counts_with_all_that_is_in_it);
  RUN(a_mistake_is_named_with_its_key_and_place);
  RUN(more_than_there_is_room_for_is_refused);
  RUN(a_number_is_a_time_by_its_size);
  return check_result();
}
