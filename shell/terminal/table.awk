# table.awk - rows of fields separated by 0x1F, the first a header -> an aligned table. Behind width.awk.
# Variables: align ("lrr..."), width (0: no limit), bold (mark the header); and for what is wider than that: drop ("4
# 2": columns to leave out, in that order) until the rest can fit, then shrink ("6:30 1": columns to cut, in that order,
# to no less than so many places, or 12), and at last the lines are cut. Columns without any content go first.

BEGIN { FS = "\037" }

{
  for (i = 1; i <= NF; i++) {
    if (NR > 1 || $i != "") cell[NR, i] = $i
    if (NR > 1 && $i != "") is_filled[i] = 1
    size = width_of($i)
    if (size > widest[i]) widest[i] = size
  }
  if (NF > columns) columns = NF
}

# The width of the table, and its least width.
function measure(    i) {
  total = least_total = -2
  for (i = 1; i <= columns; i++) {
    if (!widest[i]) continue
    total += widest[i] + 2
    least_total += ((i in least) && least[i] < widest[i] ? least[i] : widest[i]) + 2
  }
}

# Of two columns under one heading, the second inherits it.
function leave_out(i) {
  if (cell[1, i + 1] == "" && widest[i + 1]) {
    cell[1, i + 1] = cell[1, i]
    if (width_of(cell[1, i]) > widest[i + 1]) widest[i + 1] = width_of(cell[1, i])
  }
  widest[i] = 0
}

function fit(    count, k, i, room, order, part) {
  count = split(shrink, order, " ")
  for (k = 1; k <= count; k++) {
    order[k] = split(order[k], part, ":") > 1 ? part[1] : order[k]
    least[order[k]] = part[2] ? part[2] : 12
  }
  measure()
  for (i = 1; i <= columns && least_total > width; i++) {
    if (is_filled[i]) continue
    widest[i] = 0
    measure()
  }
  dropped = split(drop, drop_order, " ")
  for (k = 1; k <= dropped && least_total > width; k++) {
    leave_out(drop_order[k])
    measure()
  }
  for (k = 1; k <= count && total > width; k++) {
    i = order[k]
    room = widest[i] - (total - width)
    if (room < least[i]) room = widest[i] < least[i] ? widest[i] : least[i]
    total -= widest[i] - room
    widest[i] = room
  }
}

END {
  if (width) fit()
  for (row = 1; row <= NR; row++) {
    line = ""
    for (i = 1; i <= columns; i++) {
      if (!widest[i]) continue
      text = cut_to(cell[row, i], widest[i])
      padding = sprintf("%" (widest[i] - width_of(text)) "s", "")
      if (widest[i] == width_of(text)) padding = ""
      if (line != "") line = line "  "
      line = line (substr(align, i, 1) == "r" ? padding text : i < columns ? text padding : text)
    }
    sub(/ +$/, "", line)
    if (width) line = cut_to(line, width)
    print row == 1 && bold ? "\373" line "\374" : line
  }
}
