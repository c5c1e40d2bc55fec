/* timestamp.c - which texts are timestamps, and of which time. */
#include "tr.h"

#include <string.h>

#include "check.h"

static bool parses(const char *text, int64_t *time_us) {
  return tr_timestamp_parse(text, strlen(text), time_us);
}

static void reads_what_the_scheduler_writes(void) {
  int64_t us = 0;
  CHECK(parses("2026-02-15T01:44:15.821425Z", &us) && us == INT64_C(1771119855821425));
  CHECK(parses("2026-02-15T01:44:15Z", &us) && us == INT64_C(1771119855000000));
  CHECK(parses("1970-01-01T00:00:00Z", &us) && us == 0);
}

static void reads_the_variants(void) {
  int64_t us = 0;
  CHECK(parses("2026-02-15 01:44", &us) && us == INT64_C(1771119840000000));
  CHECK(parses("2026-02-15T01:44:15.8", &us) && us == INT64_C(1771119855800000));
  CHECK(parses("2026-02-15T01:44:15.8214259999", &us) && us == INT64_C(1771119855821425));
  CHECK(parses("2026-02-15T03:44:15+02:00", &us) && us == INT64_C(1771119855000000));
  CHECK(parses("2026-02-14T20:14:15-05:30", &us) && us == INT64_C(1771119855000000));
  CHECK(parses("2026-02-15T03:44:15+0200", &us) && us == INT64_C(1771119855000000));
  CHECK(parses("2026-02-15T03:44:15+02", &us) && us == INT64_C(1771119855000000));
  CHECK(parses("2026-02-14T20:14:15-0530", &us) && us == INT64_C(1771119855000000));
  CHECK(parses("2026-02-15T01:44:15,833", &us) && us == INT64_C(1771119855833000));
  CHECK(parses("2026-02-15 01:44:15,8214259+00", &us) && us == INT64_C(1771119855821425));
  CHECK(parses("2026-02-15t01:44:15z", &us) && us == INT64_C(1771119855000000));
  CHECK(parses("2016-12-31T23:59:60Z", &us) && us == INT64_C(1483228800000000));
  CHECK(parses("2016-12-31T23:59:60.5Z", &us) && us == INT64_C(1483228800500000));
  CHECK(parses("2017-01-01T00:59:60+01:00", &us) && us == INT64_C(1483228800000000));
  CHECK(parses("1969-12-31T23:59:59.999999Z", &us) && us == -1);
  CHECK(parses("2024-02-29T00:00Z", &us));
  CHECK(parses("0000-01-01T00:00:00Z", &us) && us == INT64_C(-62167219200000000));
  CHECK(parses("9999-12-31T23:59:59.999999Z", &us) && us == INT64_C(253402300799999999));
}

static const char *const no_timestamps[] = {
    "",
    "2026",
    "2026-02-15",
    "2026-02-15T",
    "2026-02-15T01",
    "2026-02-15T01:4",
    "2026-02-15T01:44:1",
    "2026-02-15T01:44:15.",
    "2026-02-15T01:44:15.Z",
    "2026-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "1900-02-29T00:00Z",
    "2026-13-01T00:00Z",
    "2026-00-01T00:00Z",
    "2026-01-00T00:00Z",
    "2026-01-01T24:00Z",
    "2026-01-01T00:60Z",
    "2026-01-01T00:00:61Z",
    "2026-01-01T00:00,5Z",
    "2026-01-01T00:00:00,Z",
    "2026-01-01T00:00:00.,5Z",
    "2026-01-01T00:00:00+",
    "2026-01-01T00:00:00+1",
    "2026-01-01T00:00:00+010",
    "2026-01-01T00:00:00+01:",
    "2026-01-01T00:00:00+01:0",
    "2026-01-01T00:00:00+01000",
    "2026-01-01T00:00:00+01:000",
    "2026-01-01T00:00:00+2400",
    "2026-01-01T00:00:00+0160",
    "2026-01-01T00:00:00+01Z",
    "2026-01-01T00:00:00zZ",
    "2026-01-01_00:00:00Z",
    "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00+01:60",
    "2026-01-01T00:00:00 Z",
    "2026-01-01T00:00:00Zx",
    " 2026-01-01T00:00:00Z",
    "-026-01-01T00:00:00Z",
    "2026-01-01  00:00",
    "now",
};

static void refuses_everything_else(void) {
  for (size_t i = 0; i < sizeof no_timestamps / sizeof *no_timestamps; i++) {
    int64_t us = 0;
    bool accepted = parses(no_timestamps[i], &us);
    if (accepted) printf("# accepted: %s\n", no_timestamps[i]);
    CHECK(!accepted);
  }
}

static void formats_as_python_does(void) {
  char text[TR_TIMESTAMP_SIZE];
  tr_timestamp_format(INT64_C(1771119855821425), text);
  CHECK(strcmp(text, "2026-02-15T01:44:15.821425Z") == 0);
  tr_timestamp_format(INT64_C(1771119855000000), text);
  CHECK(strcmp(text, "2026-02-15T01:44:15Z") == 0);
  tr_timestamp_format(-1, text);
  CHECK(strcmp(text, "1969-12-31T23:59:59.999999Z") == 0);
}

static void every_day_round_trips(void) {
  char text[TR_TIMESTAMP_SIZE];
  for (int64_t day = -719528; day < 2932897; day += 1) {
    int64_t us = day * INT64_C(86400000000) + 1, back = 0;
    tr_timestamp_format(us, text);
    if (!parses(text, &back) || back != us) {
      printf("# day %lld: %s\n", (long long)day, text);
      CHECK(false);
      return;
    }
  }
}

static bool span_has_time(const char *line_text, TrKind kind, bool escaped) {
  TrLine line = {.text = (const unsigned char *)line_text, .length = strlen(line_text)};
  TrSpan span = {.kind = (uint8_t)kind, .escaped = escaped, .length = (uint32_t)strlen(line_text)};
  int64_t us;
  return tr_span_time_us(&line, &span, &us);
}

/* What is spelled with escapes is decoded into 512 bytes. */
static void a_span_has_the_time_of_its_text(void) {
  char longest[600] = "\\u0032026-02-15T01:44:15.";
  CHECK(span_has_time("2026-02-15T01:44:15Z", TR_STRING, false));
  CHECK(span_has_time("\\u0032026-02-15T01:44:15Z", TR_STRING, true));
  CHECK(!span_has_time("2026", TR_INTEGER, false));
  memset(longest + strlen(longest), '5', 512 - strlen(longest));
  CHECK(span_has_time(longest, TR_STRING, true));
  longest[512] = '5';
  CHECK(!span_has_time(longest, TR_STRING, true));
}

int main(void) {
  RUN(reads_what_the_scheduler_writes);
  RUN(reads_the_variants);
  RUN(refuses_everything_else);
  RUN(a_span_has_the_time_of_its_text);
  RUN(formats_as_python_does);
  RUN(every_day_round_trips);
  return check_result();
}
