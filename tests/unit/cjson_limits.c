/*
** cjson_limits.c - why the parser of a line is not cJSON, claim by claim (read/verdict.c, read/value.c): what the
** library does with lines that it and Python's json.loads() judge differently. The last column of `verdicts` is
** Python's, and the slow lane must agree with it.
*/
#include "tr.h"

#include <locale.h>
#include <math.h>
#include <string.h>

#include <cJSON.h>

#include "check.h"

#define CHECKED_UP_TO "1.7.19" /* the newest version whose source these claims were read in */

static bool cjson_accepts(const char *text) {
  cJSON *value = cJSON_Parse(text);
  cJSON_Delete(value);
  return value != NULL;
}

static bool slow_lane_accepts(const char *text) {
  TrRecord record;
  return tr_slow_lane((const unsigned char *)text, strlen(text), &record) == TR_OK;
}

static const struct {
  const char *text;
  bool cjson, python;
} verdicts[] = {
    {"{\"a\": 01}", true, false},
    {"{\"a\": -012}", true, false},
    {"{\"a\": 1.}", true, false},
    {"{\"a\": 1.e5}", true, false},
    {"{\"a\": 1} text", true, false},
    {"{\"a\": 1}{\"a\": 2}", true, false},
    {"\xEF\xBB\xBF{\"a\": 1}", true, false}, /* a byte order mark */
    {"{\"a\":\v1}", true, false},
    {"{\"a\":\x01 1}", true, false},
    {"{\"a\": \"raw \x01\"}", true, false},
    {"{\"a\": \"\xFF\"}", true, false},
    {"{\"a\": \"\xED\xA0\x80\"}", true, false},
    {"{\"a\": \"\\ud800\"}", false, true},
    {"{\"a\": \"\\udc00\\ud800\"}", false, true},
    {"{\"a\": NaN}", false, true},
    {"{\"a\": -Infinity}", false, true},
    /* and some on which all agree: otherwise a parser that answers the same to everything would pass */
    {"{\"a\": 1}", true, true},
    {"{\"a\": \"\\ud83d\\ude00\"}", true, true},
    {"{\"a\": 1,}", false, false},
    {"{\"a\": \"\\x\"}", false, false},
    {"{\"a\": tru}", false, false},
    {"{\"a\"", false, false},
};

static void cjson_disagrees_with_python(void) {
  for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
    bool accepted = cjson_accepts(verdicts[i].text);
    if (accepted != verdicts[i].cjson) printf("# cJSON: %s\n", verdicts[i].text);
    CHECK(accepted == verdicts[i].cjson);
  }
}

static void the_slow_lane_agrees_with_python(void) {
  for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
    bool accepted = slow_lane_accepts(verdicts[i].text);
    if (accepted != verdicts[i].python) printf("# slow lane: %s\n", verdicts[i].text);
    CHECK(accepted == verdicts[i].python);
  }
}

static void cjson_cuts_strings_at_an_escaped_nul(void) {
  cJSON *value = cJSON_Parse("{\"a\": \"before\\u0000behind\"}");
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(value, "a"));
  CHECK(text && strcmp(text, "before") == 0);
  cJSON_Delete(value);
}

static void cjson_rounds_integers_to_doubles(void) {
  cJSON *value = cJSON_Parse("{\"a\": 9007199254740993}");
  cJSON *number = cJSON_GetObjectItemCaseSensitive(value, "a");
  CHECK(number && number->valuedouble == 9007199254740992.0);
  char *printed = cJSON_PrintUnformatted(value);
  CHECK(printed && strcmp(printed, "{\"a\":9007199254740993}") != 0); /* so printing a tree would not do either */
  cJSON_free(printed);
  cJSON_Delete(value);
}

static void cjson_takes_the_first_of_duplicate_keys(void) {
  cJSON *value = cJSON_Parse("{\"a\": 1, \"a\": 2}");
  cJSON *number = cJSON_GetObjectItemCaseSensitive(value, "a");
  CHECK(number && number->valuedouble == 1);
  cJSON_Delete(value);
}

static void cjson_minify_reads_past_a_string_that_ends_in_a_backslash(void) {
  char nested[] = "[\"x\\\\\", \"a b\"]";
  cJSON_Minify(nested);
  CHECK(strcmp(nested, "[\"x\\\\\", \"ab\"]") == 0);
  char plain[] = " [ \"a \\\" b\" , 1.50e+1 , NaN ] ";
  cJSON_Minify(plain); /* otherwise it changes nothing but white space */
  CHECK(strcmp(plain, "[\"a \\\" b\",1.50e+1,NaN]") == 0);
}

int main(void) {
  int major, minor, patch, known_major, known_minor, known_patch;
  sscanf(cJSON_Version(), "%d.%d.%d", &major, &minor, &patch);
  sscanf(CHECKED_UP_TO, "%d.%d.%d", &known_major, &known_minor, &known_patch);
  RUN(the_slow_lane_agrees_with_python);
  if (major * 1000000 + minor * 1000 + patch > known_major * 1000000 + known_minor * 1000 + known_patch) {
    printf("ok the limits of cJSON # skip %s is newer than " CHECKED_UP_TO "\n", cJSON_Version());
    return check_result();
  }
  RUN(cjson_disagrees_with_python);
  RUN(cjson_cuts_strings_at_an_escaped_nul);
  RUN(cjson_rounds_integers_to_doubles);
  RUN(cjson_takes_the_first_of_duplicate_keys);
  RUN(cjson_minify_reads_past_a_string_that_ends_in_a_backslash);
  return check_result();
}
