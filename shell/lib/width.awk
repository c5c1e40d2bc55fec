# width.awk - how many columns a UTF-8 text takes on a terminal, and its beginning that fits. Bytes in (LC_ALL=C), so that
# mawk and gawk agree. Runs before another program: awk -f width.awk -f ...

BEGIN {
  for (byte = 1; byte < 256; byte++) code_of[sprintf("%c", byte)] = byte
}

# The code point that begins at text[at]; sets taken to its bytes. A byte that begins none stands for itself.
function code_point(text, at,    lead, i, point) {
  lead = code_of[substr(text, at, 1)]
  taken = lead < 192 ? 1 : lead < 224 ? 2 : lead < 240 ? 3 : lead < 248 ? 4 : 1
  if (taken == 1) return lead
  point = lead % (2 ^ (7 - taken))
  for (i = 1; i < taken; i++) point = point * 64 + code_of[substr(text, at + i, 1)] % 64
  return point
}

# Colour marks and what combines take none; East Asian wide characters and emoji take two.
function columns_of(point) {
  if (point < 768) return (point >= 248 && point <= 252 && taken == 1) ? 0 : 1
  if (point < 880 || (point >= 8203 && point <= 8207) || (point >= 65024 && point <= 65039)) return 0
  if (point < 4352) return 1
  if (point <= 4447 || (point >= 11904 && point <= 42191) || (point >= 44032 && point <= 55203)) return 2
  if ((point >= 63744 && point <= 64255) || (point >= 65072 && point <= 65135)) return 2
  if ((point >= 65281 && point <= 65376) || (point >= 127744 && point <= 129791) || point >= 131072) return 2
  return point == 9989 || point == 10060 || point == 8987 || point == 11088 ? 2 : 1
}

function width_of(text,    at, total, length_of_text) {
  if (text !~ /[\200-\377]/) return length(text)
  length_of_text = length(text)
  for (at = 1; at <= length_of_text; at += taken) total += columns_of(code_point(text, at))
  return total
}

# The text if it fits into `room` columns, or else as much of it as fits before an ellipsis. Marks behind the cut are
# kept: a colour must end.
function cut_to(text, room,    at, total, columns, end, length_of_text, marks) {
  if (length(text) <= room || width_of(text) <= room) return text
  length_of_text = length(text)
  end = 0
  for (at = 1; at <= length_of_text; at += taken) {
    columns = columns_of(code_point(text, at))
    total += columns
    if (total <= room - 1 && !end) continue
    if (!end) end = at
    if (taken == 1 && columns == 0) marks = marks substr(text, at, 1)
  }
  return substr(text, 1, end - 1) "\342\200\246" marks
}
