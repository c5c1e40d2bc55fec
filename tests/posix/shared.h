/*
** shared.h - what macOS, FreeBSD and NetBSD have beyond POSIX.1-2008 and we use, and Linux declares for _GNU_SOURCE
** alone. Included before all else by a build with PLATFORM=posix on Linux.
*/
#include <locale.h>
#include <stddef.h>

void *memmem(const void *text, size_t text_length, const void *part, size_t part_length);
double strtod_l(const char *text, char **end, locale_t locale);
