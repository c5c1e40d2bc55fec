/*
** zone.c - a zone by its name -> what its clocks show at a time, and when they show what.
**
** The rules are those of the system's files (tzif.c), read by us: the variable TZ belongs to the host, and is one for
** all its threads. UTC needs no file. `local` is what TZ says, as the C library reads it (a name, or a rule), or else
** /etc/localtime. A name cannot leave the directory of the zones, which is TZDIR or /usr/share/zoneinfo.
*/
#include "read.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_FORMS "a name as in /usr/share/zoneinfo (Europe/Berlin), UTC, or local"
#define ZONE_DIR "/usr/share/zoneinfo"
#define LOCAL_FILE "/etc/localtime"
#define MOST_ZONE_BYTES (256 * 1024) /* the largest is 4 KiB */
#define LONGEST_SHIFT_S (26 * 3600)

/* --- by its name -------------------------------------------------------------------------------------------------- */

void tr_zone_free(TrZone *zone) {
  if (zone == NULL) return;
  sqlite3_free(zone->change_s);
  sqlite3_free(zone->offset_s);
  sqlite3_free(zone);
}

static bool is_zone_name(const char *name) {
  size_t length = strlen(name), allowed = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                                       "_+-/");
  return length > 0 && length < TR_NAME_SIZE && allowed == length && *name != '/';
}

static bool is_utc_name(const char *name) {
  return strcmp(name, "UTC") == 0 || strcmp(name, "Z") == 0 || strcmp(name, "Etc/UTC") == 0;
}

static int zone_error(const char *name, int code, const char *path, const char *cause, char **message) {
  return tr_error(message, code, "zone '%!.100s': %s: %s (write " ZONE_FORMS ")", name, path, cause);
}

/* Some file systems return less than there is. */
static ssize_t read_to_end(int fd, unsigned char *bytes, size_t room) {
  size_t length = 0;
  ssize_t got;
  do {
    got = TEMP_FAILURE_RETRY(pread(fd, bytes + length, room - length, (off_t)length));
    if (got > 0) length += (size_t)got;
  } while (got > 0 && length < room);
  return got < 0 ? got : (ssize_t)length;
}

static ssize_t read_zone_file(const char *path, unsigned char *bytes, const char **cause) {
  struct stat file;
  ssize_t got = -1;
  int fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  *cause = NULL;
  if (fd < 0 || fstat(fd, &file) != 0) {
    *cause = strerror(errno);
  } else if (!S_ISREG(file.st_mode) || file.st_size > MOST_ZONE_BYTES) {
    *cause = "not a file of a zone";
  } else {
    got = read_to_end(fd, bytes, MOST_ZONE_BYTES);
    if (got < 0) *cause = strerror(errno);
  }
  if (fd >= 0) close(fd);
  return got;
}

static int load_zone_file(const char *name, const char *path, TrZone *zone, char **message) {
  const char *cause;
  unsigned char *bytes = sqlite3_malloc64(MOST_ZONE_BYTES);
  if (bytes == NULL) return SQLITE_NOMEM;
  ssize_t length = read_zone_file(path, bytes, &cause);
  int code = SQLITE_CANTOPEN;
  if (cause == NULL) code = tr_tzif_parse(bytes, (size_t)length, zone);
  sqlite3_free(bytes);
  if (code == SQLITE_OK || code == SQLITE_NOMEM) return code;
  return zone_error(name, code == SQLITE_CORRUPT ? SQLITE_ERROR : code, path, cause ? cause : "it is damaged", message);
}

static int load_named_zone(const char *name, TrZone *zone, char **message) {
  const char *dir = getenv("TZDIR");
  if (!is_zone_name(name)) return zone_error(name, SQLITE_ERROR, "its name", "there is no such zone", message);
  char *path = sqlite3_mprintf("%s/%s", dir && *dir ? dir : ZONE_DIR, name);
  int code = path ? load_zone_file(name, path, zone, message) : SQLITE_NOMEM;
  sqlite3_free(path);
  return code;
}

/* *is_utc: an empty TZ means that. */
static int load_local_zone(TrZone *zone, bool *is_utc, char **message) {
  const char *value = getenv("TZ");
  *is_utc = false;
  if (value == NULL) return load_zone_file("local", LOCAL_FILE, zone, message);
  if (*value == ':') value++;
  *is_utc = *value == '\0' || is_utc_name(value);
  if (*is_utc) return SQLITE_OK;
  if (*value == '/') return load_zone_file("local", value, zone, message);
  zone->has_rule = tr_zone_rule_parse(value, strlen(value), &zone->rule);
  return zone->has_rule ? SQLITE_OK : load_named_zone(value, zone, message);
}

int tr_zone_load(const char *name, TrZone **loaded, char **message) {
  *loaded = NULL;
  if (is_utc_name(name)) return SQLITE_OK;
  TrZone *zone = sqlite3_malloc64(sizeof *zone);
  if (zone == NULL) return SQLITE_NOMEM;
  *zone = (TrZone){0};
  bool is_utc = false;
  int code =
      strcmp(name, "local") == 0 ? load_local_zone(zone, &is_utc, message) : load_named_zone(name, zone, message);
  if (code == SQLITE_OK && !is_utc) {
    *loaded = zone;
  } else {
    tr_zone_free(zone);
  }
  return code;
}

/* --- its clocks --------------------------------------------------------------------------------------------------- */

/* The changes of three years, in order: with summer times that begin in one year and end in the next, and days that a
** time of day has moved to another year, the last one before any time in the middle year is among them. */
static void rule_stretch(const TrZoneRule *rule, int64_t utc_s, TrStretch *stretch) {
  int64_t days = utc_s / 86400 - (utc_s % 86400 < 0);
  int year, month, day;
  *stretch = (TrStretch){.from_s = INT64_MIN, .to_s = INT64_MAX, .offset_s = rule->standard_s};
  if (!rule->has_summer) return;
  tr_civil_from_days(days, &year, &month, &day);
  for (int y = year - 2; y <= year + 2; y++) {
    int64_t change_s[2] = {tr_zone_rule_change(rule, y, false), tr_zone_rule_change(rule, y, true)};
    for (int summer = 0; summer < 2; summer++) { /* at the same instant, the beginning counts */
      if (change_s[summer] <= utc_s && change_s[summer] >= stretch->from_s) {
        stretch->from_s = change_s[summer];
        stretch->offset_s = summer ? rule->summer_s : rule->standard_s;
      }
      if (change_s[summer] > utc_s && change_s[summer] < stretch->to_s) stretch->to_s = change_s[summer];
    }
  }
}

/* How many changes there have been. */
static size_t changes_until(const TrZone *zone, int64_t utc_s) {
  size_t low = 0, high = zone->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (zone->change_s[middle] <= utc_s) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void tr_zone_stretch(const TrZone *zone, int64_t utc_s, TrStretch *stretch) {
  *stretch = (TrStretch){.from_s = INT64_MIN, .to_s = INT64_MAX};
  if (zone == NULL) return;
  size_t until = changes_until(zone, utc_s);
  if (until == zone->count && zone->has_rule) {
    rule_stretch(&zone->rule, utc_s, stretch);
    bool is_cut = until > 0 && stretch->from_s < zone->change_s[until - 1];
    if (is_cut) stretch->from_s = zone->change_s[until - 1];
    return;
  }
  stretch->offset_s = until > 0 ? zone->offset_s[until - 1] : zone->earliest_s;
  if (until > 0) stretch->from_s = zone->change_s[until - 1];
  if (until < zone->count) stretch->to_s = zone->change_s[until];
}

static int64_t whole_seconds(int64_t us) {
  return us / TR_US_PER_SECOND - (us % TR_US_PER_SECOND < 0);
}

int64_t tr_zone_local_us(const TrZone *zone, int64_t utc_us) {
  TrStretch stretch;
  tr_zone_stretch(zone, whole_seconds(utc_us), &stretch);
  return utc_us + stretch.offset_s * TR_US_PER_SECOND;
}

void tr_zone_utc_us(const TrZone *zone, int64_t local_us, int64_t *first_us, int64_t *last_us) {
  int64_t local_s = whole_seconds(local_us), below_s_us = local_us - local_s * TR_US_PER_SECOND;
  TrStretch stretch;
  tr_zone_stretch(zone, local_s - LONGEST_SHIFT_S, &stretch);
  while (stretch.to_s != INT64_MAX && local_s - stretch.offset_s >= stretch.to_s) {
    tr_zone_stretch(zone, stretch.to_s, &stretch);
  }
  bool is_skipped = local_s - stretch.offset_s < stretch.from_s;
  *first_us =
      is_skipped ? stretch.from_s * TR_US_PER_SECOND : (local_s - stretch.offset_s) * TR_US_PER_SECOND + below_s_us;
  *last_us = *first_us;
  while (!is_skipped && stretch.to_s <= local_s + LONGEST_SHIFT_S) { /* is the local time shown again after a change? */
    tr_zone_stretch(zone, stretch.to_s, &stretch);
    int64_t utc_s = local_s - stretch.offset_s;
    if (utc_s >= stretch.from_s && utc_s < stretch.to_s) *last_us = utc_s * TR_US_PER_SECOND + below_s_us;
  }
}
