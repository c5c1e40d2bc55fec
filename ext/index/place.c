/*
** place.c - where the indexes of a directory of results are.
*/
#include "index.h"

int tr_index_place_open(TrIndexPlace *place, const char *setting, const TrDir *dir, size_t max_line,
                        const char *mapping, char **message) {
  (void)setting, (void)max_line, (void)mapping, (void)message;
  *place = (TrIndexPlace){.fd = -1, .dir_fd = dir->fd};
  return SQLITE_OK;
}

void tr_index_place_close(TrIndexPlace *place) {
  *place = (TrIndexPlace){.fd = -1};
}
