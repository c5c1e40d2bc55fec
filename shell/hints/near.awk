# near.awk - which of the names may have been meant. Runs after fold.awk. In: what was asked for, then the names, one a
# line. Out: "same NAME" for each name that differs only in what fold() leaves out; if there is none, "near NAME" for
# those that differ in one or two letters, the nearest only.

NR == 1 {
  wanted = $0
  folded_wanted = fold(wanted)
  most = length(folded_wanted) < 3 ? 0 : length(folded_wanted) < 6 ? 1 : 2
  nearest = most + 1
  next
}

{
  folded = fold($0)
  if (folded == folded_wanted) { same[++same_count] = $0; next }
  if (same_count || length(folded) > length(folded_wanted) + most || length(folded) < length(folded_wanted) - most) next
  distance = distance_of(folded_wanted, folded, nearest)
  if (distance < nearest) { nearest = distance; near_count = 0 }
  if (distance <= most && distance == nearest) near[++near_count] = $0
}

END {
  for (i = 1; i <= same_count; i++) print "same " same[i]
  if (!same_count) for (i = 1; i <= near_count; i++) print "near " near[i]
}

# The edit distance: how many letters have to be inserted, deleted, replaced, or swapped with their neighbour. Only the
# cells near the diagonal are computed; if the distance is above `limit`, the result is any number above it.
function distance_of(a, b, limit,    i, j, m, n, first, last, least, letter) {
  m = length(a)
  n = length(b)
  if (m - n > limit || n - m > limit) return limit + 1
  for (j = 0; j <= limit + 1; j++) row[0, j] = j
  for (i = 1; i <= m; i++) {
    letter = substr(a, i, 1)
    first = i > limit ? i - limit : 1
    last = i + limit < n ? i + limit : n
    row[i, first - 1] = first == 1 ? i : limit + 1
    least = limit + 1
    for (j = first; j <= last; j++) {
      row[i, j] = row[i - 1, j - 1] + (letter != substr(b, j, 1))
      if (row[i - 1, j] + 1 < row[i, j]) row[i, j] = row[i - 1, j] + 1
      if (row[i, j - 1] + 1 < row[i, j]) row[i, j] = row[i, j - 1] + 1
      if (i > 1 && j > 1 && letter == substr(b, j - 1, 1) && substr(a, i - 1, 1) == substr(b, j, 1) &&
        row[i - 2, j - 2] + 1 < row[i, j]) row[i, j] = row[i - 2, j - 2] + 1
      if (row[i, j] < least) least = row[i, j]
    }
    row[i, last + 1] = limit + 1
    if (least > limit) return limit + 1
  }
  return row[m, n]
}
