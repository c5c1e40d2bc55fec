/*
** mapped_run.c - under a mapping, what a record itself says of its run: whose it was, when it began, how long it took.
*/
#include "figures.h"

#include <stdlib.h>

#define MOST_US 9e18 /* of a duration */

bool tr_record_duration_us(const TrLine *line, const TrRecord *record, locale_t c_locale, int64_t *us) {
  const TrSpan *span = &record->duration;
  int64_t start_us, finish_us;
  if (span->kind == TR_INTEGER || span->kind == TR_REAL) {
    double number = strtod_l((const char *)line->text + span->start, NULL, c_locale);
    double value_us = number * (record->duration_in_seconds ? 1e6 : 1e3);
    *us = value_us >= 0 && value_us < MOST_US ? (int64_t)(value_us + 0.5) : 0;
    if (value_us >= 0 && value_us < MOST_US) return true;
  }
  if (!tr_span_time_us(line, &record->started, &start_us)) return false;
  if (!tr_span_time_us(line, &record->field[TR_TIMESTAMP], &finish_us) || start_us > finish_us) return false;
  *us = finish_us - start_us;
  return true;
}

bool tr_record_start_us(const TrLine *line, const TrRecord *record, locale_t c_locale, int64_t *us) {
  int64_t duration_us, finish_us;
  if (tr_span_time_us(line, &record->started, us)) return true;
  if (!tr_record_duration_us(line, record, c_locale, &duration_us)) return false;
  if (!tr_span_time_us(line, &record->field[TR_TIMESTAMP], &finish_us)) return false;
  if (duration_us > finish_us - INT64_C(-62167219200) * TR_US_PER_SECOND) return false; /* before the year 0000 */
  *us = finish_us - duration_us;
  return true;
}

int tr_record_job(const TrLine *line, const TrRecord *record, TrScratch *scratch, TrBytes *job) {
  const TrSpan *span = &record->job;
  *job = (TrBytes){0};
  if (span->kind == TR_ABSENT || span->kind == TR_NULL || span->kind == TR_NAN) return SQLITE_OK;
  if (span->kind == TR_STRING) return tr_span_text(line, span, (locale_t)0, scratch, job);
  *job = (TrBytes){(const char *)line->text + span->start, span->length};
  return SQLITE_OK;
}
