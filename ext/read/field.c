/*
** field.c - which keys of a record have a column. `job_id` has none: the file is the job.
*/
#include "read.h"

#include <string.h>

TrField tr_field_named(const unsigned char *key, size_t length) {
  static const struct {
    const char *name;
    uint8_t length;
    uint8_t field;
  } known[] = {
      {"timestamp", 9, TR_TIMESTAMP}, {"job_name", 8, TR_JOB_NAME}, {"success", 7, TR_SUCCESS},
      {"output", 6, TR_OUTPUT},       {"error", 5, TR_ERROR},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (length == known[i].length && memcmp(key, known[i].name, length) == 0) return known[i].field;
  }
  return TR_FIELD_COUNT;
}
