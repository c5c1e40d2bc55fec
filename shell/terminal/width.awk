# width.awk - how many columns a UTF-8 text takes on a terminal, and the beginning of it that fits. Bytes in (LC_ALL=C),
# so that mawk and gawk agree. Runs before another program: awk -f width_data.awk -f width.awk -f ...
#
# What takes no column, or two, comes from Unicode (width_data.awk). Beyond single code points: an emoji that is narrow
# by itself is wide before U+FE0F; what U+200D joins to an emoji, and the tone of its skin, takes no column of its own.
# A flag is two letters of one column each.

BEGIN {
  for (byte = 1; byte < 256; byte++) code_of[sprintf("%c", byte)] = byte
}

# The code point that begins at text[at]; sets taken to its bytes. An invalid byte stands for itself.
function code_point(text, at,    lead, i, point) {
  lead = code_of[substr(text, at, 1)]
  taken = lead < 192 ? 1 : lead < 224 ? 2 : lead < 240 ? 3 : lead < 248 ? 4 : 1
  if (taken == 1) return lead
  point = lead % (2 ^ (7 - taken))
  for (i = 1; i < taken; i++) point = point * 64 + code_of[substr(text, at + i, 1)] % 64
  return point
}

# Called by load_ranges() of width_data.awk, in the order of the code points.
function ranges(name, text,    part, count, i) {
  count = split(text, part, " ")
  for (i = 1; i <= count; i++) bound[name, ++bounds[name]] = part[i] + 0
}

# Whether the point is in one of the ranges of that name.
function is_in(name, point,    low, high, middle) {
  if (!loaded) { loaded = 1; load_ranges() }
  low = 0 # ranges that begin at or before the point: more than low, not more than high
  high = bounds[name] / 2
  while (low < high) {
    middle = int((low + high + 1) / 2)
    if (bound[name, 2 * middle - 1] <= point) low = middle; else high = middle - 1
  }
  return low > 0 && point <= bound[name, 2 * low]
}

# Colour marks take no column; control characters, which a later step makes visible, take one.
function columns_of(point) {
  if (point < 768) return (point >= 248 && point <= 252 && taken == 1) ? 0 : 1
  if (!(point in known)) known[point] = is_in("zero", point) ? 0 : is_in("wide", point) ? 2 : 1
  return known[point]
}

# The columns that the code point adds to what comes before it: `before` is the last that took some, `joins` is set
# behind a joiner. Both begin as 0.
function columns_added(point,    columns) {
  if (point == 65039) { # U+FE0F, emoji presentation
    columns = before && columns_of_before == 1 && is_in("emoji", before) ? 1 : 0
    columns_of_before += columns
    return columns
  }
  if (point == 8205) { # U+200D, zero width joiner
    joins = before && is_in("picture", before)
    return 0
  }
  if (point >= 127995 && point <= 127999 && before && is_in("picture", before)) return 0
  if (joins && is_in("picture", point)) return joins = 0
  columns = columns_of(point)
  if (columns) {
    before = point
    columns_of_before = columns
    joins = 0
  }
  return columns
}

function width_of(text,    at, total, length_of_text) {
  if (text !~ /[\200-\377]/) return length(text)
  length_of_text = length(text)
  before = joins = 0
  for (at = 1; at <= length_of_text; at += taken) total += columns_added(code_point(text, at))
  return total
}

# The text if it fits into `room` columns, or else as much of it as fits before an ellipsis. Marks behind the cut are
# kept: a colour must end.
function cut_to(text, room,    at, total, columns, begin, end, length_of_text, marks, point) {
  if (length(text) <= room || width_of(text) <= room) return text
  length_of_text = length(text)
  end = 0
  before = joins = 0
  for (at = 1; at <= length_of_text; at += taken) {
    point = code_point(text, at)
    columns = columns_added(point)
    if (columns && point != 65039) begin = at # U+FE0F widens what it follows
    total += columns
    if (total <= room - 1 && !end) continue
    if (!end) end = begin ? begin : at
    if (taken == 1 && columns == 0) marks = marks substr(text, at, 1)
  }
  return substr(text, 1, end - 1) "\342\200\246" marks
}
