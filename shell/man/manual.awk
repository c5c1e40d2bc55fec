# manual.awk - a manual in Markdown -> a man page. With roff.awk. Variables: name (of the page), version, chapter.
#
# Of Markdown it knows what the manuals use: headings, paragraphs, lists, fenced code, tables, `code`, **bold**,
# *emphasis* and links. A table becomes a list: the first cell of a row is the term.

# The man pages made from manuals that link to each other.
BEGIN {
  page_of["TABLES.md"] = "tables"
  page_of["WRITING.md"] = "writing"
  page_of["PRUNING.md"] = "pruning"
  page_of["SEALS.md"] = "seals"
  page_of["INDEX.md"] = "index"
}

function linked(text, target,    page) {
  sub(/#.*/, "", target)
  sub(/.*\//, "", target)
  if (!(target in page_of)) return inline(text)
  page = "\\fBtaskresults\\-" page_of[target] "\\fR(7)"
  return text == target ? page : inline(text) " (" page ")"
}

function inline(text,    out, found, at) {
  while (match(text, /`[^`]*`|!?\[[^]]*\]\([^)]*\)|\*\*[^*]+\*\*|\*[^* ][^*]*\*/)) {
    out = out escaped(substr(text, 1, RSTART - 1))
    found = substr(text, RSTART, RLENGTH)
    text = substr(text, RSTART + RLENGTH)
    if (found ~ /^`/) out = out bold(substr(found, 2, length(found) - 2))
    else if (found ~ /^\*\*/) out = out bold(substr(found, 3, length(found) - 4))
    else if (found ~ /^\*/) out = out "\\fI" escaped(substr(found, 2, length(found) - 2)) "\\fR"
    else if (found ~ /^\[/) {
      at = index(found, "](")
      out = out linked(substr(found, 2, at - 2), substr(found, at + 2, length(found) - at - 2))
    }
  }
  return out escaped(text)
}

function describe() { if (section == "Name") heading("Description") }

# A paragraph, or an item of a list, is printed when it has ended, because bold text and links may span lines. Text
# before the first heading is the description, except for a table of contents.
function flush() {
  if (text != "" && !(!below && item != "" && text ~ /\]\(#/)) {
    describe()
    if (item == "") paragraph()
    else print ".IP " item
    print inline(text)
    begun = 0
  }
  text = item = ""
}

function add(line) {
  sub(/^ +/, "", line)
  text = text == "" ? line : text " " line
}

function see(page) { return "taskresults-" page == name ? "" : ", \\fBtaskresults\\-" page "\\fR(7)" }

# Sets cells[1..count] of a row, and returns count.
function cells_of(row,    count, i) {
  gsub(/\\\|/, "\001", row)
  sub(/^ *\| */, "", row)
  sub(/ *\| *$/, "", row)
  count = split(row, cells, / *\| */)
  for (i = 1; i <= count; i++) gsub("\001", "|", cells[i])
  return count
}

# "type: TEXT, hidden": the headers of the cells between the first and the last say what they are, if there are several.
function table_row(count,    first, i, middle, words) {
  for (first = 1; first < count && cells[first] == ""; first++);
  print ".TP\n" inline(cells[first])
  for (i = first + 1; i < columns; i++)
    if (cells[i] != "") {
      words = (columns > 3 && header[i] != "" ? escaped(header[i]) " " : "") inline(cells[i])
      middle = middle (middle == "" ? "" : "; ") words
    }
  words = count == columns && first < count ? inline(cells[count]) : ""
  if (middle != "" && words != "") middle = middle ": "
  print middle == "" && words == "" ? "\\&" : middle words
  begun = 0
}

function table_line(    count, i) {
  count = cells_of($0)
  if (!columns) {
    columns = count
    for (i = 1; i <= count; i++) header[i] = cells[i]
  } else if ($0 !~ /^[ |:-]+$/) table_row(count)
}

/^ *```/ {
  flush()
  if (fenced) print ".fi\n.RE"
  else {
    describe()
    paragraph()
    print ".RS 4\n.nf"
  }
  fenced = !fenced
  begun = 0
  next
}
fenced {
  print $0 == "" ? "" : escaped($0)
  next
}

!/^ *\|/ { columns = 0 }

/^# / {
  summary = substr($0, 3)
  printf ".TH %s %s \"\" \"taskresults %s\" \"taskresults\"\n", toupper(escaped(name)), chapter, version
  print ".nh\n.ad l" # no hyphens in names of columns and functions, and no justified lines
  heading("Name")
  print escaped(name) " \\- " tolower(substr(summary, 1, 1)) inline(substr(summary, 2))
  next
}
/^## / {
  flush()
  below = 1
  heading(substr($0, 4))
  next
}
/^### / {
  flush()
  print ".SS " inline(substr($0, 5))
  begun = 1
  next
}
/^$/ {
  flush()
  next
}
/^ *\|/ {
  flush()
  describe()
  table_line()
  next
}
/^ *- / {
  flush()
  item = "\\(bu 2"
  sub(/^ *- /, "")
}
/^ *[0-9]+\. / {
  flush()
  item = $1 " 4"
  sub(/^ *[0-9]+\. /, "")
}
{ add($0) }

END {
  flush()
  heading("See also")
  print "\\fBtaskresults\\fR(1)" see("pruning") see("tables") see("writing")
}
