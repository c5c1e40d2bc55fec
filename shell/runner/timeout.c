/*
** timeout.c - the text of `run --timeout` -> milliseconds, and the scheduler's words for a run that took longer.
*/
#include "base/base.h"
#include "runner.h"

#include <stdio.h>
#include <string.h>

#define US_PER_MS 1000

bool timeout_parse(const char *text, int64_t *timeout_ms) {
  int64_t us;
  if (!tr_timespan_parse(text, strlen(text), true, &us)) return false;
  *timeout_ms = us / US_PER_MS;
  return *timeout_ms > 0;
}

void timeout_words(int64_t timeout_ms, char out[TIMEOUT_WORDS_SIZE]) {
  bool in_minutes = timeout_ms % 60000 == 0;
  int64_t whole = timeout_ms / (in_minutes ? 60000 : 1000);
  int thousandths = in_minutes ? 0 : (int)(timeout_ms % 1000);
  char fraction[8] = "";
  if (thousandths) snprintf(fraction, sizeof fraction, ".%03d", thousandths);
  for (size_t end = strlen(fraction); end > 0 && fraction[end - 1] == '0'; end--) fraction[end - 1] = '\0';
  snprintf(out, TIMEOUT_WORDS_SIZE, "Execution timed out (%lld%s %s%s)", (long long)whole, fraction,
           in_minutes ? "minute" : "second", whole == 1 && !thousandths ? "" : "s");
}
