/*
** segment_name.c - a path -> the job to which it belongs, and which part of its history it is.
**
**   my-job.jsonl                                 live
**   my-job.jsonl.3  my-job.jsonl-20260214        rotated, as logrotate names them; the date may have the hour, too
**   my-job.jsonl.3.gz  .zst                      and compressed
**   .taskresults/archive/my-job.jsonl/20260101T000000Z-1.jsonl.zst               archived
**   .taskresults/archive/my-job.jsonl/20260101T000000Z-1.jsonl.zst.pending-42    being archived, from the file with
**                                                                                that inode
**
** Under a mapping, the names of jobs' files have other endings than .jsonl, and something in front.
**
** Names are read from their end, so that each has one meaning, whatever the job is called: my.jsonl.1.jsonl.2 belongs
** to the job my.jsonl.1.
*/
#include "history.h"

#include <string.h>

#define GZIP_SUFFIX ".gz"
#define ZSTD_SUFFIX ".zst"
#define MOST_DIGITS 18 /* of a number; an inode may have more */

/* Other compressors that logrotate may be told to use. Their files are known, but not read. */
static const char *const foreign_suffix[] = {".bz2", ".xz", ".lzma", ".lz4", ".Z", ".lz", ".br", ".zip", ".7z"};

TrBytes tr_segment_job(const TrStore *store, const char *name, size_t length) {
  return (TrBytes){name + store->prefix_length, length - store->prefix_length - store->suffix_length};
}

size_t tr_segment_live_name(const TrStore *store, TrBytes job, char name[TR_NAME_SIZE]) {
  sqlite3_snprintf(TR_NAME_SIZE, name, "%s%.*s%s", store->prefix, (int)job.length, job.text, store->suffix);
  return strlen(name);
}

static bool ends_with(const char *text, size_t length, const char *suffix) {
  size_t suffix_length = strlen(suffix);
  return length > suffix_length && memcmp(text + length - suffix_length, suffix, suffix_length) == 0;
}

/* The number at the end of the text: as it is written without leading zeros, unless it is a date. *length becomes that
** of the text before it. */
static bool take_last_number(const char *text, size_t *length, uint64_t *number, size_t *digits) {
  size_t start = *length;
  *number = 0;
  while (start > 0 && tr_is_digit(text[start - 1])) start--;
  *digits = *length - start;
  if (*digits == 0 || *digits > MOST_DIGITS) return false;
  for (size_t i = start; i < *length; i++) *number = *number * 10 + (uint64_t)(text[i] - '0');
  *length = start;
  return true;
}

static size_t take_codec(const char *text, size_t length, TrSegmentName *name) {
  name->codec = TR_CODEC_PLAIN;
  if (ends_with(text, length, GZIP_SUFFIX)) {
    name->codec = TR_CODEC_GZIP;
    return length - strlen(GZIP_SUFFIX);
  }
  if (ends_with(text, length, ZSTD_SUFFIX)) {
    name->codec = TR_CODEC_ZSTD;
    return length - strlen(ZSTD_SUFFIX);
  }
  for (size_t i = 0; i < sizeof foreign_suffix / sizeof *foreign_suffix; i++) {
    if (!ends_with(text, length, foreign_suffix[i])) continue;
    name->codec = TR_CODEC_FOREIGN;
    return length - strlen(foreign_suffix[i]);
  }
  return length;
}

/* .N, -YYYYMMDD or -YYYYMMDDHH. */
static bool take_rotation(const char *text, size_t *length, TrSegmentName *name) {
  uint64_t number;
  size_t digits;
  if (!take_last_number(text, length, &number, &digits) || *length == 0) return false;
  char before = text[--*length];
  name->number = (int64_t)number;
  name->is_dated = before == '-';
  if (!name->is_dated) return before == '.' && (digits == 1 || text[*length + 1] != '0');
  if (digits == 8) name->number *= 100; /* midnight, to compare with dates that have an hour */
  return digits == 8 || digits == 10;
}

static bool parse_beside(const TrStore *store, const char *text, TrSegmentName *name) {
  size_t length = strlen(text);
  name->kind = TR_SEGMENT_LIVE;
  name->base_length = length;
  if (!tr_store_has_name(store, text, length)) {
    length = name->base_length = take_codec(text, length, name);
    name->kind = TR_SEGMENT_ROTATED;
    if (!take_rotation(text, &length, name) || !tr_store_has_name(store, text, length)) return false;
  }
  name->job = tr_segment_job(store, text, length);
  return true;
}

/* The inode at the end of the text. */
static bool take_source(const char *text, size_t *length, uint64_t *inode) {
  size_t start = *length;
  while (start > 0 && tr_is_digit(text[start - 1])) start--;
  bool is_number = start < *length;
  *inode = 0;
  for (size_t i = start; i < *length && is_number; i++) {
    uint64_t digit = (uint64_t)(text[i] - '0');
    is_number = *inode <= (UINT64_MAX - digit) / 10;
    *inode = *inode * 10 + digit;
  }
  *length = start;
  return is_number;
}

/* `job_file` is the name of the job's directory in the archive. */
static bool parse_archived(const TrStore *store, const char *text, TrBytes job_file, TrSegmentName *name) {
  size_t length = strlen(text), digits;
  uint64_t number;
  if (!tr_store_has_name(store, job_file.text, job_file.length)) return false;
  name->kind = TR_SEGMENT_ARCHIVED;
  name->codec = TR_CODEC_ZSTD;
  name->job = tr_segment_job(store, job_file.text, job_file.length);
  if (!ends_with(text, length, ZSTD_SUFFIX)) {
    if (!take_source(text, &length, &name->source) || !ends_with(text, length, TR_PENDING_SEGMENT)) return false;
    length -= strlen(TR_PENDING_SEGMENT);
    name->is_pending = true;
  }
  name->base_length = length;
  if (!ends_with(text, length, TR_SUFFIX ZSTD_SUFFIX)) return false;
  length -= strlen(TR_SUFFIX ZSTD_SUFFIX);
  if (!take_last_number(text, &length, &number, &digits)) return false;
  name->number = (int64_t)number;
  return length > 1 && text[length - 1] == '-';
}

/* The part of the path between two of its slashes, counted from its end. */
static TrBytes part_of(const char *path, unsigned from_end) {
  const char *end = path + strlen(path), *start = end;
  for (;; end = start - 1, start = end) {
    while (start > path && start[-1] != '/') start--;
    if (from_end-- == 0) return (TrBytes){start, (size_t)(end - start)};
    if (start == path) return (TrBytes){path, 0};
  }
}

static bool is_part(TrBytes part, const char *text) {
  return part.length == strlen(text) && memcmp(part.text, text, part.length) == 0;
}

size_t tr_segment_directory(const char *path) {
  const char *last = part_of(path, 0).text;
  bool is_archived = is_part(part_of(path, 2), TR_ARCHIVE_DIRECTORY) && is_part(part_of(path, 3), TR_OWN_FOLDER);
  return (size_t)((is_archived ? part_of(path, 3).text : last) - path);
}

bool tr_segment_name_parse_in(const TrStore *store, const char *path, TrSegmentName *name) {
  *name = (TrSegmentName){0};
  TrBytes last = part_of(path, 0);
  bool is_archived = is_part(part_of(path, 2), TR_ARCHIVE_DIRECTORY) && is_part(part_of(path, 3), TR_OWN_FOLDER);
  bool is_segment =
      is_archived ? parse_archived(store, last.text, part_of(path, 1), name) : parse_beside(store, last.text, name);
  name->base_length += (size_t)(last.text - path);
  return is_segment;
}

bool tr_segment_name_parse(const char *path, TrSegmentName *name) {
  return tr_segment_name_parse_in(&tr_results_store, path, name);
}

static int compare_numbers(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

/* Archived ones first, then those with dates, and last the live one. 0: by their numbers they are equal. */
int tr_segment_name_compare(const TrSegmentName *a, const TrSegmentName *b) {
  if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
  if (a->is_dated != b->is_dated) return a->is_dated ? -1 : 1;
  int order = compare_numbers(a->number, b->number);
  bool counts_down = a->kind == TR_SEGMENT_ROTATED && !a->is_dated;
  return counts_down ? -order : order;
}
