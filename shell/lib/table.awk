# table.awk - rows of fields separated by 0x1F, the first a header -> an aligned table. Behind width.awk.
# Variables: align ("lrr..."), shrink ("3 1": columns to cut, in that order), width (0: no limit), bold (mark the header).

BEGIN { FS = "\037" }

{
  for (i = 1; i <= NF; i++) {
    if (NR > 1 || $i != "") cell[NR, i] = $i
    size = width_of($i)
    if (size > widest[i]) widest[i] = size
  }
  if (NF > columns) columns = NF
}

END {
  total = -2
  for (i = 1; i <= columns; i++) if (widest[i]) total += widest[i] + 2
  count = split(shrink, order, " ")
  for (k = 1; k <= count && width && total > width; k++) {
    i = order[k]
    room = widest[i] - (total - width)
    if (room < 12) room = widest[i] < 12 ? widest[i] : 12
    total -= widest[i] - room
    widest[i] = room
  }
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
    print row == 1 && bold ? "\373" line "\374" : line
  }
}
