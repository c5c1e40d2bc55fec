/*
** check.h - the few lines that a C unit test needs. A test is a function that CHECKs; RUN calls it and prints one TAP
** line. main() ends with `return check_result();`.
*/
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static int check_failures_in_test, check_failed_tests;

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                                                         \
      check_failures_in_test++;                                                                                        \
    }                                                                                                                  \
  } while (0)

#define RUN(test)                                                                                                      \
  do {                                                                                                                 \
    check_failures_in_test = 0;                                                                                        \
    test();                                                                                                            \
    printf("%s %s\n", check_failures_in_test ? "not ok" : "ok", #test);                                                \
    fflush(stdout);                                                                                                    \
    check_failed_tests += check_failures_in_test != 0;                                                                 \
  } while (0)

static inline int check_result(void) {
  return check_failed_tests != 0;
}

#endif /* CHECK_H */
