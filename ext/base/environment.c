/*
** environment.c - the variables that the process was given.
*/
#include "base.h"

#include <stdlib.h>

const char *tr_environment(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}
