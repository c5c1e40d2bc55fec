/*
** plan.c - fuzz target: each text that can be read as a plan is the only text for it, and gives the same plan again.
**
** Aimed at ext/query/plan.c (its codec).
*/
#include "tr.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  TrPlan plan, again;
  char *text = malloc(size + 1);
  memcpy(text, data, size);
  text[size] = '\0';
  if (tr_plan_decode(text, &plan)) {
    char *encoded = tr_plan_encode(&plan);
    MUST(encoded && strcmp(encoded, text) == 0);
    MUST(tr_plan_decode(encoded, &again) && memcmp(&plan, &again, sizeof plan) == 0);
    sqlite3_free(encoded);
  }
  free(text);
  return 0;
}
