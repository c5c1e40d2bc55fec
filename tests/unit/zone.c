/*
** zone.c - zones: a rule has the meaning that the C library gives it; a file gives the zone that it was built from; a
** file that is cut short or changed is refused, or its changes still ascend; an unreadable file is named.
*/
#include "tr.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "random.h"

#define LIBC(name) (*(__typeof__(&name) *)&(void *){dlsym(RTLD_NEXT, #name)})

static const char *failing; /* the call that fails with EIO; NULL: none does */

static bool fails(const char *name) {
  if (failing == NULL || strcmp(failing, name) != 0) return false;
  errno = EIO;
  return true;
}

int fstat(int fd, struct stat *found) {
  return fails("fstat") ? -1 : LIBC(fstat)(fd, found);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t at) {
  return fails("pread") ? -1 : LIBC(pread)(fd, bytes, count, at);
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

static bool is_rule(const char *text) {
  TrZoneRule rule;
  return tr_zone_rule_parse(text, strlen(text), &rule);
}

static const char *const rules[] = {"UTC0",
                                    "abc-14",
                                    "XYZ+1:02:03",
                                    "<+0330>-3:30",
                                    "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
                                    "CET-1CEST,M3.5.0,M10.5.0/3",
                                    "EST5EDT4:30,J1,J365/24",
                                    "AAA0BBB,0/0,365/167:59:59"};
static const char *const no_rules[] = {"",
                                       "A",
                                       "AB1",
                                       "ABC",
                                       "ABC+",
                                       "ABC25",
                                       "ABC1:",
                                       "ABC1:60",
                                       "ABC1:2:",
                                       "ABC1:2:60",
                                       "<AB>1",
                                       "<ABC1",
                                       "<A*C>1",
                                       "A1C2",
                                       "ABC1 ",
                                       "ABC1,",
                                       "ABC1DEF",
                                       "ABC1DE,M3.5.0,M10.5.0",
                                       "ABC1DEF25,M3.5.0,M10.5.0",
                                       "ABC1DEF,M3.5.0",
                                       "ABC1DEF,M3.5.0,",
                                       "ABC1DEF,M3.5.0,M10.5.0 ",
                                       "ABC1DEF,M0.5.0,M10.5.0",
                                       "ABC1DEF,M13.5.0,M10.5.0",
                                       "ABC1DEF,M3.0.0,M10.5.0",
                                       "ABC1DEF,M3.6.0,M10.5.0",
                                       "ABC1DEF,M3.5.7,M10.5.0",
                                       "ABC1DEF,M3.5,M10.5.0",
                                       "ABC1DEF,M3,M10.5.0",
                                       "ABC1DEF,M,M10.5.0",
                                       "ABC1DEF,M3x5x0,M10.5.0",
                                       "ABC1DEF,M3.5x0,M10.5.0",
                                       "ABC1DEF,J0,J2",
                                       "ABC1DEF,J366,J2",
                                       "ABC1DEF,J,J2",
                                       "ABC1DEF,366,2",
                                       "ABC1DEF,x,2",
                                       "ABC1DEF,1/168,2",
                                       "ABC1DEF,1/,2",
                                       "ABC1DEF,1/-,2",
                                       "ABC1DEF,1;2",
                                       "ABC1DEF;1,2",
                                       "ABC99999999999999999999"};

static void rules_are_read_in_all_their_forms_and_nothing_else(void) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    if (!is_rule(rules[i])) printf("# refused: %s\n", rules[i]);
    CHECK(is_rule(rules[i]));
  }
  for (size_t i = 0; i < sizeof no_rules / sizeof *no_rules; i++) {
    if (is_rule(no_rules[i])) printf("# taken: %s\n", no_rules[i]);
    CHECK(!is_rule(no_rules[i]));
  }
}

/* A day of a month, or in one of the two ways to count days. Not near the ends of a year: the C library treats each
** year by itself. */
static int write_day(char *text, int month) {
  switch (random_below(3)) {
  case 0: return sprintf(text, "M%d.%d.%d", month, 1 + (int)random_below(5), (int)random_below(7));
  case 1: return sprintf(text, "J%d", month * 30 - (int)random_below(20));
  default: return sprintf(text, "%d", month * 30 - (int)random_below(20));
  }
}

static void write_rule(char *text) {
  int north = random_below(2) == 0, hours = (int)random_below(25) - 12;
  text += sprintf(text, "AAA%d", hours);
  if (random_below(3) == 0) text += sprintf(text, ":%02d", (int)random_below(60));
  text += sprintf(text, "BBB");
  if (random_below(3) == 0)
    text += sprintf(text, "%d:%02d:%02d", hours - 1, (int)random_below(60), (int)random_below(60));
  for (int end = 0; end < 2; end++) {
    *text++ = ',';
    text += write_day(text, (end == 0) == north ? 2 + (int)random_below(3) : 8 + (int)random_below(3));
    if (random_below(2) == 0) text += sprintf(text, "/%d", (int)random_below(24));
  }
  *text = '\0';
}

/* At times of 80 years, and at each of the changes and the second before it. */
static bool means_what_libc_says(const char *text) {
  TrZone zone = {.has_rule = tr_zone_rule_parse(text, strlen(text), &zone.rule)};
  CHECK(zone.has_rule && setenv("TZ", text, 1) == 0);
  tzset();
  for (int i = 0; i < 200; i++) {
    int year = 1990 + (int)random_below(80);
    int64_t times_s[4] = {(int64_t)random_below(2600000000u), tr_zone_rule_change(&zone.rule, year, true), 0, 0};
    times_s[2] = times_s[1] - 1, times_s[3] = tr_zone_rule_change(&zone.rule, year, false) - (i % 2);
    for (int k = 0; k < 4; k++) {
      struct tm local;
      TrStretch stretch;
      CHECK(localtime_r(&(time_t){times_s[k]}, &local) != NULL);
      tr_zone_stretch(&zone, times_s[k], &stretch);
      if (stretch.offset_s == local.tm_gmtoff && stretch.from_s <= times_s[k] && times_s[k] < stretch.to_s) continue;
      printf("# %s at %lld: %d, not %ld\n", text, (long long)times_s[k], stretch.offset_s, local.tm_gmtoff);
      return false;
    }
  }
  return true;
}

static void rules_mean_what_the_c_library_says(void) {
  char text[200];
  int wrong = 0;
  for (int i = 0; i < 500 && wrong < 10; i++) {
    write_rule(text);
    wrong += !means_what_libc_says(text);
  }
  CHECK(wrong == 0);
  unsetenv("TZ");
}

/* --- files -------------------------------------------------------------------------------------------------------- */

typedef struct File {
  unsigned char bytes[4000];
  size_t length;
} File;

/* What a file is built from. */
typedef struct Model {
  int version, change_count, type_count;
  int64_t change_s[20];
  int type[20];
  int32_t offset_s[5];
  const char *rule;
} Model;

static void put(File *file, int64_t number, int bytes) {
  while (bytes-- > 0) file->bytes[file->length++] = (unsigned char)((uint64_t)number >> (8 * bytes));
}

static void put_block(File *file, const Model *model, int time_bytes) {
  int ut = (int)random_below(3), standard = (int)random_below(3), leaps = (int)random_below(3),
      letters = (int)random_below(9);
  memcpy(file->bytes + file->length, "TZif", 4);
  file->length += 4;
  put(file, model->version ? '0' + model->version : 0, 1);
  for (int i = 0; i < 15; i++) put(file, 0, 1);
  put(file, ut, 4), put(file, standard, 4), put(file, leaps, 4);
  put(file, model->change_count, 4), put(file, model->type_count, 4), put(file, letters, 4);
  for (int i = 0; i < model->change_count; i++) put(file, model->change_s[i], time_bytes);
  for (int i = 0; i < model->change_count; i++) put(file, model->type[i], 1);
  for (int i = 0; i < model->type_count; i++) put(file, model->offset_s[i], 4), put(file, (int)random_bits(), 2);
  int rest = letters + leaps * (time_bytes + 4) + standard + ut;
  while (rest-- > 0) put(file, (int)random_bits(), 1);
}

static void random_model(Model *model) {
  static const char *const endings[] = {"", "CET-1", "CET-1CEST,M3.5.0,M10.5.0/3"};
  *model = (Model){.version = (int)random_below(4), .rule = endings[random_below(3)]};
  if (model->version == 1) model->version = 0;
  model->change_count = (int)random_below(20);
  model->type_count = 1 + (int)random_below(5);
  int64_t at = -2000000000;
  for (int i = 0; i < model->change_count; i++) {
    model->change_s[i] = at += 1 + (int64_t)random_below(150000000);
    model->type[i] = (int)random_below((size_t)model->type_count);
  }
  for (int i = 0; i < model->type_count; i++) model->offset_s[i] = (int32_t)random_below(52 * 3600 - 1) - 26 * 3600 + 1;
}

static void build_file(File *file, const Model *model) {
  file->length = 0;
  put_block(file, model, 4);
  if (model->version == 0) return;
  put_block(file, model, 8);
  file->length += (size_t)sprintf((char *)file->bytes + file->length, "\n%s\n", model->rule);
}

static bool is_what_it_was_built_from(const TrZone *zone, const Model *model) {
  if ((int)zone->count != model->change_count || zone->earliest_s != model->offset_s[0]) return false;
  if (zone->has_rule != (model->version > 0 && *model->rule != '\0')) return false;
  for (int i = 0; i < model->change_count; i++) {
    if (zone->change_s[i] != model->change_s[i] || zone->offset_s[i] != model->offset_s[model->type[i]]) return false;
  }
  return true;
}

static void free_parsed(TrZone *zone) {
  sqlite3_free(zone->change_s);
  sqlite3_free(zone->offset_s);
}

/* In memory of just that length, so that a sanitizer sees what is read behind it. */
static int parse(const unsigned char *bytes, size_t length, TrZone *zone) {
  unsigned char *copy = malloc(length ? length : 1);
  memcpy(copy, bytes, length);
  int code = tr_tzif_parse(copy, length, zone);
  free(copy);
  return code;
}

static void a_file_gives_the_zone_it_was_built_from_and_cut_short_is_refused(void) {
  Model model;
  File file;
  for (int i = 0; i < 200; i++) {
    TrZone zone;
    random_model(&model);
    build_file(&file, &model);
    CHECK(parse(file.bytes, file.length, &zone) == SQLITE_OK && is_what_it_was_built_from(&zone, &model));
    free_parsed(&zone);
    for (size_t length = 0; length < file.length; length++) {
      int code = parse(file.bytes, length, &zone);
      CHECK(code == SQLITE_CORRUPT && zone.change_s == NULL && zone.offset_s == NULL && zone.count == 0);
    }
  }
}

/* Changes that are some days apart, each by some hours. */
static void busy_model(Model *model) {
  *model = (Model){.version = 2, .rule = random_below(2) ? "" : "CET-1", .change_count = (int)random_below(20)};
  model->type_count = 1 + (int)random_below(5);
  int64_t at = 0;
  for (int i = 0; i < model->change_count; i++) {
    model->change_s[i] = at += 1800 * (60 + (int64_t)random_below(60));
    model->type[i] = (int)random_below((size_t)model->type_count);
  }
  for (int i = 0; i < model->type_count; i++) model->offset_s[i] = 900 * ((int32_t)random_below(25) - 12);
}

static int64_t offset_in(const Model *model, int64_t utc_s) {
  int64_t offset_s = model->offset_s[0];
  for (int i = 0; i < model->change_count && model->change_s[i] <= utc_s; i++)
    offset_s = model->offset_s[model->type[i]];
  bool is_behind = model->change_count == 0 || utc_s >= model->change_s[model->change_count - 1];
  return is_behind && *model->rule ? 3600 : offset_s;
}

static void clocks_show_a_time_first_and_last_when_a_search_through_all_times_says(void) {
  Model model;
  File file;
  int many = 0;
  for (int i = 0; i < 200; i++) {
    TrZone zone;
    busy_model(&model);
    build_file(&file, &model);
    CHECK(parse(file.bytes, file.length, &zone) == SQLITE_OK);
    for (int64_t local_s = -90000; local_s < 2500000; local_s += 900) {
      int64_t first_s = INT64_MAX, last_s = INT64_MIN, first_us, last_us;
      for (int64_t utc_s = local_s - 12600; utc_s <= local_s + 12600; utc_s += 900) {
        if (utc_s + offset_in(&model, utc_s) != local_s) continue;
        if (first_s == INT64_MAX) first_s = utc_s;
        last_s = utc_s;
      }
      if (first_s == INT64_MAX) continue; /* clocks never show it */
      tr_zone_utc_us(&zone, local_s * 1000000 + 7, &first_us, &last_us);
      CHECK(first_us == first_s * 1000000 + 7 && last_us == last_s * 1000000 + 7);
      many += first_s != last_s;
    }
    free_parsed(&zone);
  }
  CHECK(many > 500);
}

static void a_damaged_file_is_refused_or_is_a_zone_whose_changes_ascend(void) {
  static const char *const words[] = {"TZif", "TZif2", "\n", "\n\n", "CET-1", "\xFF\xFF\xFF\xFF", "\x80", "\x7F"};
  int taken = 0, refused = 0;
  Model model;
  File file;
  for (int i = 0; i < 20000; i++) {
    TrZone zone;
    random_model(&model);
    build_file(&file, &model);
    for (size_t changes = 1 + random_below(3); changes > 0; changes--) {
      file.length = random_mutation(file.bytes, file.length, sizeof file.bytes, words, sizeof words / sizeof *words);
    }
    bool is_taken = parse(file.bytes, file.length, &zone) == SQLITE_OK;
    is_taken ? taken++ : refused++;
    for (size_t k = 1; k < zone.count; k++) CHECK(zone.change_s[k] > zone.change_s[k - 1]);
    for (size_t k = 0; k < zone.count; k++) CHECK(abs(zone.offset_s[k]) < 26 * 3600);
    free_parsed(&zone);
  }
  CHECK(taken > 1000 && refused > 1000);
}

static void each_wrong_field_of_a_file_is_refused(void) {
  Model model = {.version = 2, .change_count = 2, .type_count = 2, .change_s = {1, 2}, .type = {1, 0}, .rule = "CET-1"};
  Model broken[6] = {model, model, model, model, model, model};
  broken[0].change_s[1] = 1;         /* changes that do not ascend */
  broken[1].type[1] = 2;             /* a type that there is not */
  broken[2].offset_s[1] = 26 * 3600; /* offsets of more than a day */
  broken[3].offset_s[0] = -26 * 3600;
  broken[4].rule = "CET"; /* a rule that is none */
  broken[5].type_count = 0;
  File file;
  TrZone zone;
  build_file(&file, &model);
  CHECK(parse(file.bytes, file.length, &zone) == SQLITE_OK);
  free_parsed(&zone);
  for (int i = 0; i < 6; i++) {
    build_file(&file, &broken[i]);
    CHECK(parse(file.bytes, file.length, &zone) == SQLITE_CORRUPT && zone.change_s == NULL);
  }
}

/* --- by their names ----------------------------------------------------------------------------------------------- */

static bool is_refused(const char *name, int code, const char *words) {
  TrZone *zone = NULL;
  char *message = NULL;
  int got = tr_zone_load(name, &zone, &message);
  bool is_right = got == code && zone == NULL && message && strstr(message, words);
  if (!is_right) printf("# %s: %d, %s\n", name, got, message ? message : "no message");
  sqlite3_free(message);
  tr_zone_free(zone);
  return is_right;
}

static bool is_utc(const char *name) {
  TrZone *zone = NULL;
  return tr_zone_load(name, &zone, NULL) == SQLITE_OK && zone == NULL;
}

static void write_zone_file(const char *path, const void *bytes, size_t length) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  CHECK(fd >= 0 && write(fd, bytes, length) == (ssize_t)length && close(fd) == 0);
}

static void a_file_that_cannot_be_read_is_named_with_the_reason(void) {
  char directory[] = "/tmp/taskresults-unit-XXXXXX", path[64], name[300];
  Model model = {.version = 2, .type_count = 1, .offset_s = {3600}, .rule = "CET-1"};
  File file;
  TrZone *zone;
  CHECK(mkdtemp(directory) != NULL && setenv("TZDIR", directory, 1) == 0);
  snprintf(path, sizeof path, "%s/Town", directory);
  build_file(&file, &model);
  write_zone_file(path, file.bytes, file.length);
  CHECK(tr_zone_load("Town", &zone, NULL) == SQLITE_OK && tr_zone_local_us(zone, 0) == INT64_C(3600000000));
  tr_zone_free(zone);
  CHECK(setenv("TZ", path, 1) == 0 && tr_zone_load("local", &zone, NULL) == SQLITE_OK && zone->earliest_s == 3600);
  tr_zone_free(zone);
  failing = "fstat";
  CHECK(is_refused("Town", SQLITE_CANTOPEN, "Town: Input/output error"));
  failing = "pread";
  CHECK(is_refused("Town", SQLITE_CANTOPEN, "Town: Input/output error"));
  failing = NULL;
  write_zone_file(path, file.bytes, file.length - 1);
  CHECK(is_refused("Town", SQLITE_ERROR, "it is damaged") && is_refused("local", SQLITE_ERROR, "it is damaged"));
  CHECK(truncate(path, 256 * 1024) == 0 && is_refused("Town", SQLITE_ERROR, "it is damaged"));
  CHECK(truncate(path, 256 * 1024 + 1) == 0 && is_refused("Town", SQLITE_CANTOPEN, "not a file of a zone"));
  CHECK(unlink(path) == 0 && is_refused("Town", SQLITE_CANTOPEN, "No such file"));
  CHECK(is_refused("../Town", SQLITE_ERROR, "no such zone") && is_refused("/Town", SQLITE_ERROR, "no such zone"));
  CHECK(is_refused("", SQLITE_ERROR, "no such zone"));
  memset(name, 'x', 256), name[256] = '\0';
  CHECK(is_refused(name, SQLITE_ERROR, "no such zone"));
  CHECK(rmdir(directory) == 0);
  unsetenv("TZDIR"), unsetenv("TZ");
}

static void utc_has_many_names(void) {
  static const char *const values[] = {"", ":", "UTC", ":UTC", "Z", "Etc/UTC"};
  CHECK(is_utc("UTC") && is_utc("Z") && is_utc("Etc/UTC"));
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) CHECK(setenv("TZ", values[i], 1) == 0 && is_utc("local"));
  CHECK(setenv("TZ", ":no/such/zone", 1) == 0 && is_refused("local", SQLITE_CANTOPEN, "No such file"));
  unsetenv("TZ");
}

int main(void) {
  RUN(rules_are_read_in_all_their_forms_and_nothing_else);
  RUN(rules_mean_what_the_c_library_says);
  RUN(a_file_gives_the_zone_it_was_built_from_and_cut_short_is_refused);
  RUN(clocks_show_a_time_first_and_last_when_a_search_through_all_times_says);
  RUN(a_damaged_file_is_refused_or_is_a_zone_whose_changes_ascend);
  RUN(each_wrong_field_of_a_file_is_refused);
  RUN(a_file_that_cannot_be_read_is_named_with_the_reason);
  RUN(utc_has_many_names);
  return check_result();
}
